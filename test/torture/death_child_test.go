// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/gofrs/flock"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/builder/existing"
	data "github.com/packer-chain/packer-plugin-chain/datasource/image"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/publish"
	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
)

// mortalChild is the child that does what one "packer build" of an image does, and may die
// meanwhile.
const mortalChild = "mortal"

var bakeRegions = []string{"eu-central-1", "eu-west-1"}

// publishTag is a tag that the post-processor adds to those of the builder.
const publishTag = "published-by"

// life is what a child does.
type life struct {
	Registry string
	// EC2 is where the AMIs are made. That is what a builder does, not the plugin.
	EC2 string
	// LookOnly ends after the data source.
	LookOnly bool
	// DieAfter kills the process after it has printed a line that begins so. ParkAfter keeps writes
	// to a registry in a folder from being finished after such a line, or with "begin" from the
	// start, and kills the process in the middle of the next.
	DieAfter, ParkAfter string
}

// report is what a child prints in the end.
type report struct {
	Pending     bool
	Fingerprint string
	Red         []string
}

func liveAndDie(args []string) error {
	var l life
	if err := json.Unmarshal([]byte(args[0]), &l); err != nil {
		return err
	}
	if err := os.Setenv("PACKER_RUN_UUID", rand.Text()); err != nil {
		return err
	}
	rec, err := l.look()
	if err != nil {
		return err
	}
	ui := &mortal{life: l}
	if !l.LookOnly {
		if err := l.buildAndPublish(rec, ui); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(report{len(rec.Pending) > 0, rec.Fingerprint, ui.red})
}

// look runs the data source.
func (l life) look() (record.Record, error) {
	var source data.Datasource
	err := source.Configure(map[string]any{
		"registry": l.Registry, "image": "base", "path": ".", "regions": bakeRegions})
	if err != nil {
		return record.Record{}, err
	}
	out, err := source.Execute()
	if err != nil {
		return record.Record{}, err
	}
	return record.Decode(out.GetAttr("record").AsString())
}

// buildAndPublish runs the gate, a builder if something is pending, and the post-processor.
func (l life) buildAndPublish(rec record.Record, ui *mortal) error {
	text, err := rec.Encode()
	if err != nil {
		return err
	}
	builderType := "chain"
	artifact, err := gate(text, ui)
	if err == nil && artifact == nil {
		builderType = "amazon-ebs"
		artifact, err = l.bake(rec)
	}
	if err != nil {
		return err
	}
	var post publish.PostProcessor
	err = post.Configure(map[string]any{
		"packer_build_name": "image", "packer_builder_type": builderType,
		"packer_core_version": "1.16.0", "record": text,
		"channels": []string{"latest", "production"}, "publish_timeout": "2m",
		"tags": map[string]string{publishTag: "torture"}})
	if err != nil {
		return err
	}
	if l.ParkAfter == "begin" {
		ui.park()
	}
	_, _, _, err = post.PostProcess(context.Background(), ui, artifact)
	return err
}

// gate says what happens, and passes the image through if nothing is pending.
func gate(text string, ui packersdk.Ui) (packersdk.Artifact, error) {
	var source existing.Builder
	if _, _, err := source.Prepare(map[string]any{"record": text}); err != nil {
		return nil, err
	}
	return source.Run(context.Background(), ui, nil)
}

// bake makes an AMI in each region, as the Amazon plugin does.
func (l life) bake(rec record.Record) (packersdk.Artifact, error) {
	account := &emulator.AWS{Endpoint: l.EC2}
	var ids []string
	for _, region := range bakeRegions {
		var tags []types.Tag
		for key, value := range rec.Tags {
			tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
		}
		out, err := account.EC2(region).RegisterImage(context.Background(), &ec2.RegisterImageInput{
			Name: aws.String("base-" + rand.Text()), Architecture: types.ArchitectureValuesX8664,
			TagSpecifications: []types.TagSpecification{
				{ResourceType: types.ResourceTypeImage, Tags: tags}},
		})
		if err != nil {
			return nil, fmt.Errorf("register an image in %s: %w", region, err)
		}
		ids = append(ids, region+":"+aws.ToString(out.ImageId))
	}
	return amis(strings.Join(ids, ",")), nil
}

// amis is an artifact, by its id.
type amis string

func (a amis) BuilderId() string { return "mitchellh.amazonebs" }
func (a amis) Files() []string   { return nil }
func (a amis) Id() string        { return string(a) }
func (a amis) String() string    { return string(a) }
func (a amis) State(string) any  { return nil }
func (a amis) Destroy() error    { return nil }

// mortal is the screen of a process that may have to die. All other methods panic.
type mortal struct {
	packersdk.Ui
	life life

	mu  sync.Mutex
	red []string
}

func (m *mortal) Say(text string) {
	switch l := m.life; {
	case l.DieAfter != "" && strings.HasPrefix(text, l.DieAfter):
		die()
	case l.ParkAfter != "" && strings.HasPrefix(text, l.ParkAfter):
		m.park()
	}
}

func (m *mortal) Error(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.red = append(m.red, text)
}

// park holds the lock of the folder, so that the next write gets as far as its temporary file, and
// dies then.
func (m *mortal) park() {
	dir := m.life.Registry
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(err)
	}
	lock := flock.New(filepath.Join(dir, ".chain.lock"))
	if err := lock.Lock(); err != nil {
		panic(err)
	}
	go func() {
		for {
			if half, _ := filepath.Glob(filepath.Join(dir, "*", "*", ".chain-*.tmp")); len(half) > 0 {
				die()
			}
			time.Sleep(time.Millisecond)
		}
	}()
}

// die kills this process, as kill -9 does: nothing is cleaned up.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}
