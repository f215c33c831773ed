// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxErrorBody is how much of the body of an error is read: S3 sends less than a kilobyte.
const maxErrorBody = 64 << 10

// foreignError means that a response is not that of an S3 store: a proxy, a gateway or a login page
// answered in its place. Nothing follows from it, least of all that an object does not exist.
type foreignError struct {
	status int
	// begin is the first line of what came.
	begin string
}

func (e *foreignError) Error() string {
	if e.begin == "" {
		return fmt.Sprintf("not an S3 answer: HTTP %d without the marks of S3", e.status)
	}
	return fmt.Sprintf("not an S3 answer: HTTP %d, which begins with %q", e.status, e.begin)
}

// refuseForeign adds a check of every response, before the SDK reads it.
func refuseForeign(stack *middleware.Stack) error {
	check := func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
			err = checkGenuine(response.Response)
		}
		return out, meta, err
	}
	return stack.Deserialize.Add(
		middleware.DeserializeMiddlewareFunc("ChainRefuseForeign", check), middleware.After)
}

// checkGenuine returns a [*foreignError] unless a response has the marks of S3: an ETag, the id of
// a request, or the XML of an error or a list ("REST error responses" and "ListObjectsV2", Amazon
// S3 API Reference). A fault that passes is one, whoever reports it, and so is a condition that
// does not hold.
func checkGenuine(response *http.Response) error {
	status := response.StatusCode
	marked := response.Header.Get("X-Amz-Request-Id") != "" || response.Header.Get("X-Amz-Id-2") != ""
	switch {
	case status < 300 && (marked || response.Header.Get("ETag") != ""),
		status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status == http.StatusPreconditionFailed, status == http.StatusConflict:
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	whole := err == nil
	rest := response.Body
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	// A response that broke off is judged by how it broke off.
	if !whole || isErrorOfS3(body) || status < 300 && isList(body) || marked && len(body) == 0 {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return &foreignError{status: status, begin: text.Clip(first, 80)}
}

// isErrorOfS3 reports whether a body is an error document of S3.
func isErrorOfS3(body []byte) bool {
	var document struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
	}
	return xml.Unmarshal(body, &document) == nil && document.Code != ""
}

// isList reports whether a body begins as a list of S3 does.
func isList(body []byte) bool {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if begin, ok := token.(xml.StartElement); ok {
			return begin.Name.Local == "ListBucketResult"
		}
	}
}
