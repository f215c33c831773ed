// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// promiseServerDies kills the server of the bucket while many publish, and starts it again. Each time some
// writes have landed whose answer never came.
func promiseServerDies(ctx context.Context, r *Run) (Result, error) {
	gateway, err := startGateway(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer gateway.Stop()
	w := workload{Writers: r.Pick(4, 16), Publishes: r.Pick(10, 40)}
	open := bucketOpener(ctx, gateway.URL, bucketOptions{trusted: true})
	type end struct {
		ops []op
		err error
	}
	ended := make(chan end, 1)
	go func() {
		ops, err := w.run(ctx, open)
		ended <- end{ops, err}
	}()
	wanted, random := r.Pick(1, 4), r.Random(0)
	deaths := 0
	for deaths < wanted && len(ended) == 0 {
		if err := killLater(ctx, gateway, random); err != nil {
			return Result{}, err
		}
		deaths++
	}
	done := <-ended
	v, err := w.judge(ctx, open, done.ops, done.err)
	result := Result{Note: fmt.Sprintf("%d writers x %d, the server was killed %d times meanwhile", w.Writers, w.Publishes, deaths)}
	result.add(w, v)
	if err == nil && deaths < wanted {
		err = errors.New("the writers were done before the server had died as often as it should")
	}
	return result, err
}

// killLater kills the server at a random moment, and starts it again.
func killLater(ctx context.Context, gateway *s3server.Gateway, random *rand.Rand) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20*time.Millisecond + time.Duration(random.Int64N(int64(200*time.Millisecond)))):
	}
	gateway.Stop()
	return gateway.Start(ctx)
}
