package storagetest

import (
	"testing"

	"github.com/proofline/proofline/storage"
)

func TestMemoryIndexKeepsTheContract(t *testing.T) {
	RunIndex(t, func(t *testing.T) storage.Index { return NewMemoryIndex() })
}

func TestMemoryIndexKeepsTheContractOfKeys(t *testing.T) {
	RunKeyIndex(t, func(t *testing.T) storage.KeyIndex { return NewMemoryIndex() })
}
