"""power is new: it answers as if it were behind API Gateway, so a route can send it requests as they are."""
import json


def handler(event, context):
    try:
        base, exponent = (float(event["pathParameters"][n]) for n in ("base", "exponent"))
        result, status = base**exponent, 200
    except (KeyError, TypeError, ValueError, OverflowError) as e:
        return {"statusCode": 400, "headers": {"content-type": "application/json"}, "body": json.dumps({"error": str(e)})}
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-served-by": "power"},
        "body": json.dumps({"operation": "power", "result": result}),
    }
