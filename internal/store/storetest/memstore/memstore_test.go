// SPDX-License-Identifier: MPL-2.0

package memstore_test

import (
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}
