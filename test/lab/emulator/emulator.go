// SPDX-License-Identifier: MPL-2.0

// Package emulator runs an AWS account on this machine: EC2, S3, SSM and STS by moto, on the
// loopback address, gone when it is stopped. It serves one request at a time, without delay, so it
// shows what a program does, not what happens when AWS is slow, wrong or used by others.
package emulator

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// AWS is a running emulator.
type AWS struct {
	// Endpoint is the URL of every service, such as http://127.0.0.1:40001.
	Endpoint string

	servers *servers
	pid     int
	logFile string
	log     io.Writer
}

// Start starts an emulator. What it prints, such as its requests, is written to log by [AWS.Stop].
// The error is [program.ErrMissing] if moto is missing.
func Start(log io.Writer) (*AWS, error) {
	all, err := launch()
	if err != nil {
		return nil, fmt.Errorf("start the AWS emulator: %w", err)
	}
	file, err := os.CreateTemp("", "chain-emulator-*.log")
	if err != nil {
		return nil, fmt.Errorf("start the AWS emulator: %w", err)
	}
	a := &AWS{servers: all, logFile: file.Name(), log: log}
	var port uint16
	reply, err := all.command("start " + a.logFile)
	if err == nil {
		_, err = fmt.Sscan(reply, &port, &a.pid)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the AWS emulator: %w", err), os.Remove(a.logFile))
	}
	a.Endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
	return a, nil
}

// Stop ends the emulator, and waits until it has ended.
func (a *AWS) Stop() error {
	_, err := a.servers.command(fmt.Sprintf("stop %d", a.pid))
	text, readErr := os.ReadFile(a.logFile)
	if err = errors.Join(err, readErr, os.Remove(a.logFile)); err != nil {
		return fmt.Errorf("stop the AWS emulator: %w", err)
	}
	_, err = a.log.Write(text)
	return err
}

// Query makes one request to EC2, IAM or STS, and decodes the XML of the response into out, if that
// is not nil. It is not signed, so permissions must not be enforced.
func (a *AWS) Query(ctx context.Context, service, region string, form url.Values, out any) error {
	// moto reads the service and the region in here.
	scope := "AWS4-HMAC-SHA256 Credential=test/20260101/" + region + "/" + service +
		"/aws4_request, SignedHeaders=host, Signature=0"
	body, err := a.post(ctx, "", form.Encode(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {scope}})
	if err != nil || out == nil {
		return err
	}
	return xml.Unmarshal(body, out)
}

func (a *AWS) post(ctx context.Context, path, text string, header http.Header) ([]byte, error) {
	address := a.Endpoint + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("post to the AWS emulator: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("post to the AWS emulator: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("post %q to %s: %s: %s", text, address, res.Status, body)
	}
	return body, nil
}

// Env returns environment variables. A program that reads them as the AWS SDKs do uses this
// account, whatever else is configured on the machine.
func (a *AWS) Env(region string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + a.Endpoint,
		"AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"AWS_SESSION_TOKEN=",
		"AWS_PROFILE=",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CA_BUNDLE=",
		"NO_PROXY=127.0.0.1",
	}
}
