// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxBegin is how much of a response is looked at: its root element comes first.
const maxBegin = 1 << 10

// refuseForeign adds a check of every success, before the SDK reads it: to the SDK, any page is a
// list without images, so a login page would mean that the AMIs are gone.
func refuseForeign(stack *middleware.Stack) error {
	check := func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
			err = checkGenuine(response, awsmiddleware.GetOperationName(ctx))
		}
		return out, meta, err
	}
	return stack.Deserialize.Add(
		middleware.DeserializeMiddlewareFunc("ChainRefuseForeign", check), middleware.After)
}

// checkGenuine returns an error unless a success is that of an operation of EC2.
func checkGenuine(response *smithyhttp.Response, operation string) error {
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil
	}
	body := response.Body
	whole := bufio.NewReaderSize(body, maxBegin)
	response.Body = struct {
		io.Reader
		io.Closer
	}{whole, body}
	begin, err := whole.Peek(maxBegin)
	// A response that broke off is judged by how it broke off.
	if err != nil && !errors.Is(err, io.EOF) ||
		bytes.Contains(begin, []byte(operation+"Response")) {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(begin)), "\n")
	return &smithy.DeserializationError{Err: fmt.Errorf("not an EC2 answer: HTTP %d, which begins "+
		"with %q", response.StatusCode, text.Clip(first, 80))}
}
