// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

// migration is an account of somebody who follows docs/migrate.md.
type migration struct {
	*lab
	// blocks are the blocks of HCL on the page, in order.
	blocks []string
}

// The blocks of the page, by their place on it.
const (
	oldBase = iota
	newChild
	byFile
	newBase
	oldOfHCP
	onHCP
	onImageBuilder
	component
	allBlocks
)

// TestAccMigrate_scripts goes the way from scripts: the old template builds a base, the new child
// is built on it, then the base moves, and the child follows.
func TestAccMigrate_scripts(t *testing.T) {
	m := newMigration(t)
	m.write("base/base.pkr.hcl", m.blocks[oldBase])
	m.write("base/setup.sh", "true\n")
	m.commit("as it was")
	sha, err := m.repo.Git(t.Context(), "rev-parse", "HEAD:base")
	m.check(err)
	m.packer = m.packer.With("PKR_VAR_git_sha=" + sha)
	old := ami(t, m.mustBuild("base"))

	// A newer AMI with another value is none of it.
	m.write("snowflake/snowflake.pkr.hcl", m.blocks[newChild])
	m.write("snowflake/setup.sh", "true\n")
	m.commit("snowflake moves")
	other, err := m.aws.CreateImage(t.Context(), region, "other")
	m.check(err)
	m.check(m.aws.Tag(t.Context(), region, other, "SHA", strings.Repeat("0", 40)))
	m.builtOn("snowflake", old, "first build of snowflake")
	wantOutput(t, m.mustBuild("snowflake"), "unchanged: nothing is built")

	// The file that Packer's own post-processor has left names the same AMI, and so does a tag with
	// the commit.
	m.rewrite("snowflake", m.blocks[newChild], m.blocks[byFile])
	m.builtOn("snowflake", old, "snowflake has to be built")
	commit, err := m.repo.Git(t.Context(), "rev-parse", "HEAD~1")
	m.check(err)
	m.check(m.aws.Tag(t.Context(), region, old, "SHA", commit))
	m.rewrite("snowflake", strings.Replace(m.blocks[newChild],
		`path        = "${path.root}/../base"`, `git_sha     = "`+commit+`"`, 1), "")
	m.builtOn("snowflake", old, "snowflake has to be built")

	// The base moves: it is built once more, and still has the tag that scripts look for.
	m.write("base/base.pkr.hcl", m.blocks[newBase])
	m.rewrite("snowflake", m.blocks[newChild], "")
	moved := ami(t, wantOutputs(t, m.mustBuild("base"), "first build of baseline-ubuntu"))
	m.builtOn("snowflake", moved, "parent baseline-ubuntu")
	sha, err = m.repo.Git(t.Context(), "rev-parse", "HEAD:base")
	m.check(err)
	for _, image := range m.images(region) {
		if image.ID == moved && image.Tags["SHA"] != sha {
			t.Errorf("the AMI of the base has the tags %v, want SHA=%s", image.Tags, sha)
		}
	}

	// What was for the way can go.
	way := regexp.MustCompile(`\n.*# until .* moved`)
	m.rewrite("snowflake", way.ReplaceAllString(m.blocks[newChild], ""), "")
	m.builtOn("snowflake", moved, "snowflake has to be built")
	m.parameterMoves(old)
}

// parameterMoves promotes to a parameter that somebody made by hand before, for an old AMI.
func (m *migration) parameterMoves(old string) {
	m.t.Helper()
	const name = "/images/snowflake/production"
	client := ssm.New(ssm.Options{Region: region, BaseEndpoint: &m.aws.Endpoint,
		Credentials: m.aws.EC2(region).Options().Credentials})
	_, err := client.PutParameter(m.t.Context(), &ssm.PutParameterInput{Name: aws.String(name),
		Value: &old, Type: types.ParameterTypeString, DataType: aws.String("aws:ec2:image")})
	m.check(err)
	m.check(os.CopyFS(filepath.Join(m.repo.Dir, "promote"),
		os.DirFS(filepath.Join(root, "example/promote"))))
	m.commit("promote")
	wantOutput(m.t, m.mustBuild("promote"), "channel production -> ", "parameter "+name+" = ")
	value, err := m.aws.Parameter(m.t.Context(), region, name)
	m.check(err)
	if value == old {
		m.t.Errorf("the parameter still has %s", old)
	}
}

// TestAccMigrate_fallback goes the ways from HCP Packer and from EC2 Image Builder: the old AMI is
// the fallback. There is no HCP here, so an AMI stands in for its data source.
func TestAccMigrate_fallback(t *testing.T) {
	for name, block := range map[string]int{"HCP Packer": onHCP, "Image Builder": onImageBuilder} {
		t.Run(name, func(t *testing.T) { testFallback(t, block) })
	}
}

func testFallback(t *testing.T, block int) {
	m := newMigration(t)
	m.write("snowflake/snowflake.pkr.hcl", replaced(t, m.blocks[newChild], strings.ReplaceAll(
		m.blocks[block], "data.hcp-packer-artifact.base.external_identifier", "var.old")+
		"variable \"old\" { type = string }\n"))
	m.write("snowflake/setup.sh", "true\n")
	m.commit("snowflake moves")
	first := m.ofPipeline("1.0.0/1")
	m.builtOn("snowflake", first, "first build of snowflake")
	wantOutput(t, m.mustBuild("snowflake"), "unchanged: nothing is built")

	// The old side goes on, and has a newer base.
	second := m.ofPipeline("1.0.0/2")
	m.builtOn("snowflake", second, "snowflake has to be built")

	m.write("base/base.pkr.hcl", m.blocks[newBase])
	m.write("base/setup.sh", "true\n")
	m.commit("base moves")
	moved := ami(t, m.mustBuild("base"))
	if block == onHCP {
		// Its children follow the channel production.
		m.write("promote/promote.pkr.hcl", template(t, "promote", `"base"`, `"baseline-ubuntu"`))
		m.commit("promote")
		m.mustBuild("promote")
	}
	m.builtOn("snowflake", moved, "snowflake has to be built")
}

// ofPipeline makes an AMI as a pipeline of EC2 Image Builder does, with a version of its recipe.
func (m *migration) ofPipeline(version string) string {
	m.t.Helper()
	name := "baseline " + strings.ReplaceAll(version, "/", "-")
	id, err := m.aws.CreateImage(m.t.Context(), region, name)
	m.check(err)
	m.check(m.aws.Tag(m.t.Context(), region, id, "Ec2ImageBuilderArn",
		"arn:aws:imagebuilder:eu-west-1:123456789012:image/baseline-ubuntu/"+version))
	m.packer = m.packer.With("PKR_VAR_old=" + id)
	return id
}

// builtOn builds a folder, which must print a text, and wants the new AMI to be built on another.
func (m *migration) builtOn(folder, parent, text string) {
	m.t.Helper()
	id := ami(m.t, wantOutputs(m.t, m.mustBuild(folder), text))
	for _, image := range m.images(region) {
		if image.ID == id && image.Tags["chain:parent"] == parent {
			return
		}
	}
	m.t.Fatalf("%s of %s is not built on %s: %v", id, folder, parent, m.images(region))
}

// newMigration reads the page, and changes its templates as far as an emulator needs it, which has
// no machines to provision.
func newMigration(t *testing.T) *migration {
	t.Helper()
	m := &migration{lab: newLabIn(t, filepath.Join(t.TempDir(), "repo"))}
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs/migrate.md"))
	m.check(err)
	provisioner := regexp.MustCompile(`(?s)\n  provisioner "shell" \{.*?\n  \}\n`)
	for _, match := range fence.FindAllStringSubmatch(string(page), -1) {
		block := provisioner.ReplaceAllString(match[1], "\n")
		block = strings.ReplaceAll(block, `ssh_username  = "ubuntu"`, `communicator  = "none"`)
		m.blocks = append(m.blocks, strings.ReplaceAll(block, "{{timestamp}}", "${uuidv4()}"))
	}
	if len(m.blocks) != allBlocks {
		t.Fatalf("the page has %d blocks of HCL, and the test knows %d", len(m.blocks), allBlocks)
	}
	m.write(".gitignore", "packer-manifest.json\n")
	return m
}

// rewrite commits the template of a folder, with another data "chain" if that is given.
func (m *migration) rewrite(folder, text, parent string) {
	m.t.Helper()
	if parent != "" {
		text = replaced(m.t, text, parent)
	}
	m.write(folder+"/"+folder+".pkr.hcl", text)
	m.commit("change " + folder)
}

// replaced is a template with other text in the place of data "chain".
func replaced(t testing.TB, template, parent string) string {
	t.Helper()
	block := regexp.MustCompile(`(?s)data "chain" "parent" \{.*?\n\}\n`)
	if !block.MatchString(template) {
		t.Fatalf("the template has no data \"chain\"\n%s", template)
	}
	return block.ReplaceAllLiteralString(template, parent)
}

// wantOutputs is the result, of which packer must have printed a text.
func wantOutputs(t testing.TB, result packercli.Result, text string) packercli.Result {
	t.Helper()
	wantOutput(t, result, text)
	return result
}

// ami is the AMI that a run ended with.
func ami(t testing.TB, result packercli.Result) string {
	t.Helper()
	found := regexp.MustCompile(region+`: (ami-\w+)`).FindAllStringSubmatch(result.Output, -1)
	if found == nil {
		t.Fatalf("no AMI was printed\n%s", result)
	}
	return found[len(found)-1][1]
}
