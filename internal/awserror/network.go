// SPDX-License-Identifier: MPL-2.0

package awserror

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// as reports whether an error has a type.
func as[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

// hasStatus reports whether the response has one of these HTTP statuses.
func hasStatus(statuses ...int) func(error) bool {
	return func(err error) bool {
		var answered interface{ HTTPStatusCode() int }
		return errors.As(err, &answered) && slices.Contains(statuses, answered.HTTPStatusCode())
	}
}

// proxyRefused reports whether a proxy demands a password. If it should only connect, as for https,
// net/http leaves the text of its status and nothing else.
func proxyRefused(err error) bool {
	const status = http.StatusProxyAuthRequired
	return hasStatus(status)(err) || strings.HasSuffix(err.Error(), http.StatusText(status))
}

// fromInstance reports whether the instance gave no credentials: it is the last one that the SDK
// asks.
func fromInstance(err error) bool {
	var operation *smithy.OperationError
	for errors.As(err, &operation) {
		if operation.Service() == "ec2imds" {
			return true
		}
		err = operation.Err
	}
	return false
}

func noSuchHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// refusedConnection reports whether nobody listens. Windows has other words for it.
func refusedConnection(err error) bool {
	return strings.Contains(err.Error(), "connection refused") ||
		strings.Contains(err.Error(), "actively refused")
}

func silentHost(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout()
}
