// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

// planted are the secrets, by where they are planted. Each begins with letters that occur nowhere
// else: these are searched for, as a leak may be cut short, or encoded for a URL.
var planted = map[string]string{
	"access_key":        "AKIAPLANTEDONE111111",
	"secret_key":        "plantedTWO+secretkey/2222222222222222222",
	"token":             "plantedTHREEsessiontoken333333",
	"external_id":       "plantedFOURexternalid4444",
	"input":             "plantedFIVEinput5555",
	"salt":              "plantedSIXsalt6666",
	"env_access_key":    "AKIAPLANTEDSEVEN7777",
	"env_secret_key":    "plantedEIGHT+secretkey/888888888888888888",
	"env_token":         "plantedNINEsessiontoken9999",
	"ci_password":       "plantedTENpassword0000",
	"ci_query":          "plantedELEVENtoken1111",
	"git_password":      "plantedTWELVEpassword2222",
	"web_identity":      "plantedTHIRTEENtoken3333",
	"registry_password": "plantedFOURTEENpassword4444",
	"endpoint_password": "plantedFIFTEENpassword5555",
}

const access = `
  access_key = var.access_key
  secret_key = var.secret_key
  token      = var.token
  assume_role {
    role_arn    = "arn:aws:iam::123456789012:role/images"
    external_id = var.external_id
  }`

// secretTemplate has credentials in every component, and an extra option.
func secretTemplate(t testing.TB, extra, access string) string {
	t.Helper()
	own := "inputs = { secret = var.input }\n salt = var.salt\n" + extra + "\n" + access
	text := template(t, "ami", "# image options", own, "# post-processor options", access) + `
data "chain" "parent" {
  registry   = var.registry
  image      = "parent"
  on_missing = "empty"
  ` + access + "\n}\n"
	for name := range planted {
		text += fmt.Sprintf("variable %q { type = string }\n", name)
	}
	return text
}

// secretLab is a lab in which every secret is planted.
func secretLab(t *testing.T) *lab {
	t.Helper()
	l := newLab(t, secretTemplate(t, "", access))
	_, err := l.repo.Git(t.Context(), "remote", "add", "origin",
		"https://me:"+planted["git_password"]+"@git.example.com/images.git")
	l.check(err)
	_, err = l.repo.Git(t.Context(), "update-ref", "refs/remotes/origin/main", "HEAD")
	l.check(err)
	l.packer = l.packer.With(
		"PACKER_LOG=1",
		"AWS_ACCESS_KEY_ID="+planted["env_access_key"],
		"AWS_SECRET_ACCESS_KEY="+planted["env_secret_key"],
		"AWS_SESSION_TOKEN="+planted["env_token"],
		"JENKINS_URL=https://ci.example.com/", "BUILD_TAG=jenkins-images-1",
		"BUILD_URL=https://me:"+planted["ci_password"]+
			"@ci.example.com/job/images/1/?token="+planted["ci_query"])
	for name, value := range planted {
		l.packer = l.packer.With("PKR_VAR_" + name + "=" + value)
	}
	return l
}

// rebuild commits another template and builds it. Packer has to end with the code, and print the
// text.
func (l *lab) rebuild(name, template string, code int, want string) packercli.Result {
	l.t.Helper()
	l.write("base/base.pkr.hcl", "# "+name+"\n"+template)
	l.commit(name)
	result := wantCode(l.t, code, l.build("base"))
	wantOutput(l.t, result, want)
	return result
}

// wantNoSecrets looks for each planted value in everything that a run leaves.
func (l *lab) wantNoSecrets(result packercli.Result) {
	l.t.Helper()
	l.searched("what packer printed and logged", result.Output)
	for key, body := range l.objects() {
		l.searched("s3://"+bucket+"/"+key, key+string(body))
	}
	for _, image := range l.images(region) {
		l.searchedTags(image.ID, image.Tags)
		for id, tags := range image.Snapshots {
			l.searchedTags(id, tags)
		}
	}
	l.check(filepath.WalkDir(l.repo.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		l.searched(path, string(body))
		return err
	}))
}

func (l *lab) searchedTags(id string, tags map[string]string) {
	for key, value := range tags {
		l.searched("tag "+key+" of "+id, key+value)
	}
}

func (l *lab) searched(where, text string) {
	l.t.Helper()
	for name, secret := range planted {
		end := strings.IndexFunc(secret, func(r rune) bool { return !unicode.IsLetter(r) })
		letters := secret[:end]
		if i := strings.Index(text, letters); i >= 0 {
			around := text[max(0, i-300):min(len(text), i+200)]
			l.t.Errorf("%s shows %s:\n…%s…", where, name, around)
		}
	}
}

// TestAccSecrets builds and fails in several ways with secrets in every place that is for them, and
// in some that are not.
func TestAccSecrets(t *testing.T) {
	t.Parallel()
	l := secretLab(t)
	first := l.mustBuild("base")
	wantOutput(t, first, "first build of base", "[INFO] Packer version", "channel latest -> ")
	l.wantNoSecrets(first)
	tag := l.images(region)[0].Tags["chain:ci-build"]
	if tag != "https://ci.example.com/job/images/1/" {
		t.Errorf("tag chain:ci-build is %q", tag)
	}
	again := l.mustBuild("base")
	wantOutput(t, again, "unchanged: nothing is built")
	l.wantNoSecrets(again)

	l.write("base/notes.txt", planted["input"][:7])
	dirty := wantCode(t, 1, l.build("base"))
	wantOutput(t, dirty, "that are not committed")
	l.wantNoSecrets(dirty)
	l.check(os.Remove(filepath.Join(l.repo.Dir, "base", "notes.txt")))

	l.makeMistakes()

	healthy := l.packer
	l.packer = healthy.With("PKR_VAR_publish_timeout=2s", "PKR_VAR_endpoint="+deadEndpoint)
	kept := l.rebuild("registry away", secretTemplate(t, "", access), 1, "Packer keeps the image ")
	wantOutput(t, kept, "The manifest is not published.")
	l.wantNoSecrets(kept)

	l.packer = healthy
	wrong := strings.ReplaceAll(secretTemplate(t, "", access), "= var.registry\n",
		`= "s3://me:${var.registry_password}@acme-images/chain"`+"\n")
	l.wantNoSecrets(l.rebuild("wrong registry", wrong, 1, "must name a bucket"))
}

// makeMistakes builds with options that are wrong, each with a secret in or beside it.
func (l *lab) makeMistakes() {
	l.t.Helper()
	const ec2 = "\n  custom_endpoint_ec2 = "
	for name, tt := range map[string]struct{ extra, access, want string }{
		"wrong option": {access: access + "\n  max_retries = -1",
			want: "max_retries must not be negative"},
		"one key missing": {access: "secret_key = var.secret_key\n  token = var.token",
			want: "access_key is required with secret_key"},
		"wrong external id": {
			access: strings.Replace(access, "var.external_id", `"${var.external_id} "`, 1),
			want:   "external_id must have"},
		"wrong endpoint": {
			access: access + ec2 + `"https://me:${var.endpoint_password}@ec2.example.com"`,
			want:   "must not hold a user or a password"},
		"endpoint with a token": {
			access: access + ec2 + `"https://ec2.example.com/?t=${var.endpoint_password}"`,
			want:   "must not have a query"},
		"wrong parent": {access: access, extra: `parents = [var.input]`,
			want: "is not the ref of a data"},
	} {
		l.wantNoSecrets(l.rebuild(name, secretTemplate(l.t, tt.extra, tt.access), 1, tt.want))
	}
}

// TestAccSecrets_denied has AWS refuse everything, first the roles and then the requests.
func TestAccSecrets_denied(t *testing.T) {
	t.Parallel()
	l := secretLab(t)
	endpoint := refusing(t, http.StatusForbidden, "AccessDenied")
	l.packer = l.packer.With("AWS_ENDPOINT_URL=" + endpoint)
	token := filepath.Join(t.TempDir(), "token")
	l.check(os.WriteFile(token, []byte(planted["web_identity"]), 0o600))
	const role = "arn:aws:iam::123456789012:role/images"
	static, _, _ := strings.Cut(access, "assume_role")
	healthy := l.packer
	for name, tt := range map[string]struct {
		access, want string
		env          []string
	}{
		"role":    {access: access, want: "assume role " + role},
		"request": {access: static, want: "denied"},
		"web identity": {want: "get AWS credentials", env: []string{
			"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
			"AWS_WEB_IDENTITY_TOKEN_FILE=" + token, "AWS_ROLE_ARN=" + role}},
	} {
		l.packer = healthy.With(tt.env...)
		result := l.rebuild(name, secretTemplate(t, "", tt.access), 1, tt.want)
		l.searched("what packer printed and logged for "+name, result.Output)
	}
}
