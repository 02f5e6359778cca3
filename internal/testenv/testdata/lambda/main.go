// Command lambda is a Lambda without a library: it fetches events from Lambda's runtime API, and answers with what
// came and the version that it runs as.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serve(api); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func serve(api string) error {
	next, err := http.Get(api + "next")
	if err != nil {
		return fmt.Errorf("fetch an event: %w", err)
	}
	defer next.Body.Close()
	event, err := io.ReadAll(next.Body)
	if err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	result := fmt.Sprintf(`{"event":%s,"version":%q}`, event, os.Getenv("AWS_LAMBDA_FUNCTION_VERSION"))
	id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
	answer, err := http.Post(api+id+"/response", "application/json", bytes.NewReader([]byte(result)))
	if err != nil {
		return fmt.Errorf("answer an event: %w", err)
	}
	return answer.Body.Close()
}
