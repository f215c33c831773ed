// SPDX-License-Identifier: MPL-2.0

package parameter

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
)

// TestClient_Put_race: writers move a variable, make the parameter what the variable says, look
// again, and repeat if it moved. Whatever their order, the parameter is the variable in the end.
// [Client.Put] must not return before SSM shows what it wrote, or the last to look may see what an
// earlier write is about to replace.
func TestClient_Put_race(t *testing.T) {
	const writers = 12
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			starts, delays := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			server := parametertest.New()
			server.Same = seed%2 == 1
			server.Check = func(string) (time.Duration, bool) {
				return time.Duration(delays.Int64N(int64(20 * time.Second))), true
			}
			variable := &variable{}
			var running sync.WaitGroup
			for i := range writers {
				start := time.Duration(starts.Int64N(int64(30 * time.Second)))
				running.Go(func() {
					time.Sleep(start)
					variable.move(fmt.Sprintf("ami-%08x", i+1))
					c, _ := connect(server, Options{})
					c.pace.Rand = nil
					for {
						ami := variable.look()
						if _, err := c.Put(t.Context(), region, name, ami); err != nil {
							t.Error(err)
							return
						}
						if variable.look() == ami {
							return
						}
					}
				})
			}
			running.Wait()
			time.Sleep(time.Minute)
			if got := server.Shown(region, name).Value; got != variable.look() {
				t.Errorf("seed %d: the parameter is %s, the variable %s", seed, got, variable.look())
			}
		})
	}
}

// variable is what a channel is to the parameter: it only says what it is now.
type variable struct {
	mu  sync.Mutex
	ami string
}

func (v *variable) move(ami string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ami = ami
}

func (v *variable) look() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ami
}
