"""audit is called without waiting for an answer."""


def handler(event, context):
    print("audited", event)
