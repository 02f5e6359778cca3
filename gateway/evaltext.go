package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// evalText is the text of a value in a template. Null has none.
func evalText(v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case bool:
		return strconv.FormatBool(x), nil
	case float64:
		return evalNumberText(x), nil
	case json.Number:
		return x.String(), nil
	}
	return "", fmt.Errorf("%s is no text", evalKind(v))
}

// evalNumberText is the shortest text that reads back as the number, as JSON has it.
func evalNumberText(x float64) string {
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strings.Replace(strconv.FormatFloat(x, 'e', -1, 64), "e-0", "e-", 1)
	}
	if x == 0 {
		return "0"
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}
