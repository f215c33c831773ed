// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Parse reads a manifest: this plugin's, or the file of Packer's own manifest post-processor, whose
// Chain is nil. It returns [ErrCorrupt] for a damaged one and a [*SchemaError] for one of a newer
// plugin.
func Parse(body []byte) (*Manifest, error) {
	var head struct {
		Chain *struct {
			Schema jsontext.Value `json:"schema"`
		} `json:"chain"`
	}
	if err := Decode(body, &head); err != nil {
		return nil, err
	}
	if head.Chain != nil {
		if err := CheckSchema(head.Chain.Schema); err != nil {
			return nil, err
		}
	}
	var m Manifest
	if err := Decode(body, &m); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &m, nil
}

// Read is [Parse] for the manifest of a known image and fingerprint. It returns [ErrCorrupt] for
// that of another.
func Read(body []byte, image, fingerprint string) (*Manifest, error) {
	m, err := Parse(body)
	if err != nil {
		return nil, err
	}
	return m, m.Belongs(image, fingerprint)
}

// Belongs returns an error unless the manifest is that of the image and fingerprint. A document of
// another image at our address is never used, and never overwritten.
func (m *Manifest) Belongs(image, fingerprint string) error {
	switch {
	case m.Chain == nil:
		return fmt.Errorf("%w: not written by the chain plugin", ErrCorrupt)
	case m.Chain.Image != image:
		return fmt.Errorf("%w: it is of image %q", ErrCorrupt, m.Chain.Image)
	case m.Chain.Fingerprint != fingerprint:
		return fmt.Errorf("%w: it is of fingerprint %s", ErrCorrupt, m.Chain.Fingerprint)
	}
	return nil
}

func (m *Manifest) check() error {
	if len(m.Builds) == 0 {
		return errors.New("it holds no builds")
	}
	for _, entry := range m.Builds {
		for _, image := range entry.Images {
			if err := image.check(); err != nil {
				return fmt.Errorf("build %.60q: %w", entry.Name, err)
			}
		}
	}
	if m.Chain == nil {
		return nil
	}
	if err := CheckImage(m.Chain.Image); err != nil {
		return fmt.Errorf("chain.image %w", err)
	}
	if err := CheckFingerprint(m.Chain.Fingerprint); err != nil {
		return fmt.Errorf("chain.fingerprint %w", err)
	}
	if err := CheckWrite(m.Chain.Seq, m.Chain.WriteID); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	if err := m.Chain.checkRelatives(); err != nil {
		return fmt.Errorf("chain.%w", err)
	}
	return nil
}

// check refuses an AMI whose id or region is malformed: both go into messages and requests.
func (i Image) check() error {
	switch {
	case i.ID == "":
		return errors.New("an image has no id")
	case i.Provider == ProviderAWS && !IsAMI(i.ID):
		return fmt.Errorf("%.60q is not the id of an AMI", i.ID)
	case i.Provider == ProviderAWS && !IsRegion(i.Region):
		return fmt.Errorf("%.60q is not a region", i.Region)
	}
	return nil
}

// CheckWrite checks the fields that identify one write of a document.
func CheckWrite(seq int64, writeID string) error {
	switch {
	case seq < 1 || writeID == "":
		return errors.New("seq or write_id is missing")
	case seq > MaxSeq:
		return fmt.Errorf("seq is %d, the limit is %d", seq, MaxSeq)
	}
	return nil
}
