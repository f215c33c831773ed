// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// callLimit is the deadline of a call, promisedOver how much longer it may take, and busyOver
	// what a short run may take besides: other tests may hold it up.
	callLimit    = 3 * time.Second
	promisedOver = time.Second
	busyOver     = 3 * time.Second
	attemptLimit = time.Second
)

const trickledBody = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Type: application/json\r\n" +
	"Content-Length: 1000\r\n\r\n{"

// TestNoHang calls each operation of a registry on servers that leave it waiting.
func TestNoHang(t *testing.T) {
	_, n := begin(t)
	servers := map[string]string{
		"accepts and never responds":            mute(t, ""),
		"trickles the head of its response":     mute(t, "HTTP/1.1 200 OK\r\nX-Long: "),
		"trickles the body of its response":     mute(t, trickledBody),
		"responds to reads and hangs in writes": hangInWrites(t),
	}
	within := callLimit + promisedOver
	if !*long {
		within += busyOver
	}
	var mu sync.Mutex
	var longest time.Duration
	var all sync.WaitGroup
	for what, url := range servers {
		for name, call := range hangingCalls() {
			all.Go(func() {
				n.try(t, name+" on a server that "+what, func(t *testing.T) {
					took := callWithin(t, within, url, call)
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, took)
				})
			})
		}
	}
	all.Wait()
	n.note = fmt.Sprintf("limit %s, the longest call took %.2f s", callLimit, longest.Seconds())
}

func hangingCalls() map[string]func(context.Context, *registry.Registry) error {
	fingerprint := text.SHA256("hang")
	return map[string]func(context.Context, *registry.Registry) error{
		"Manifest": func(ctx context.Context, reg *registry.Registry) error {
			_, err := reg.Manifest(ctx, snowflake, fingerprint)
			return err
		},
		"Pointer": func(ctx context.Context, reg *registry.Registry) error {
			_, err := reg.Pointer(ctx, snowflake, forward)
			return err
		},
		"Pointers": func(ctx context.Context, reg *registry.Registry) error {
			found, err := reg.Pointers(ctx, snowflake, allPointers...)
			if err == nil && found[forward] == nil {
				err = registry.ErrNotFound
			}
			return err
		},
		"Publish": func(ctx context.Context, reg *registry.Registry) error {
			entry := manifest.Entry{Name: "a", BuilderType: "null", PackerRunUUID: "run", ArtifactID: "a"}
			facts := manifest.Facts{Image: snowflake, Fingerprint: fingerprint}
			_, err := reg.Publish(ctx, facts, []manifest.Entry{entry}, nil)
			return err
		},
		"Move": func(ctx context.Context, reg *registry.Registry) error {
			to := registry.Target{Fingerprint: fingerprint, Builds: []registry.Build{{Run: "run"}}}
			_, err := reg.Move(ctx, registry.Request{Image: snowflake, Name: forward, To: to}, nil)
			return err
		},
	}
}

// callWithin makes a call with a deadline, and with the limit of one attempt shorter than that. It
// returns how long the call took, which must not be longer than within.
func callWithin(t *testing.T, within time.Duration, url string,
	call func(context.Context, *registry.Registry) error,
) time.Duration {
	t.Helper()
	reg := bucketOpener(t, url, bucketOptions{trusted: true, attempt: attemptLimit})()
	limited, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	started := time.Now()
	err := call(limited, reg)
	took := time.Since(started)
	if took > within {
		t.Errorf("took %s with a limit of %s", took, callLimit)
	}
	if err == nil {
		t.Error("it reports success")
	}
	return took
}

// mute accepts connections, sends the beginning of a response, and then an x each second.
func mute(t *testing.T, beginning string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { trickle(ctx, conn, beginning) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	})
	return "http://" + listener.Addr().String()
}

func trickle(ctx context.Context, conn net.Conn, beginning string) {
	defer conn.Close()
	// A response before the request would be taken for a fault of the connection.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return
	}
	send := []byte(beginning)
	for {
		if _, err := conn.Write(send); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		if beginning != "" {
			send = []byte("x")
		}
	}
}

// hangInWrites serves an empty bucket. From the first write on, it never responds.
func hangInWrites(t *testing.T) (url string) {
	t.Helper()
	behind := fakeBucket(t)
	ended := make(chan struct{})
	var hung atomic.Bool
	url = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			hung.Store(true)
		}
		if !hung.Load() {
			behind.ServeHTTP(w, r)
			return
		}
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(ended) })
	return url
}
