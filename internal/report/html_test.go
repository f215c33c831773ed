// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"bytes"
	"fmt"
	"html"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

func render(t *testing.T, r report.Report) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := report.HTML(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// markup returns the page without what it has of its stylesheet and script.
func markup(page []byte) string {
	inline := regexp.MustCompile(`(?s)<(style|script)>.*?</(?:style|script)>`)
	return inline.ReplaceAllString(string(page), "<$1></$1>")
}

func TestHTML(t *testing.T) {
	page := markup(render(t, sample(12, 3)))
	for what, want := range map[string]string{
		"title":            "<title>Images of Acme</title>",
		"anchor":           `<article id="hardened-0" class="outdated"`,
		"link in picture":  `<a href="#hardened-0" class="outdated" aria-label="hardened-0: out of date">`,
		"count":            "<b>6</b> current",
		"reason":           "its ancestor base is revoked: CVE-2026-1234 in openssl",
		"parent":           `<dt>Parents<dd><a href="#base-0">base-0</a>`,
		"children":         `<a href="#hardened-0">hardened-0</a>, <a href="#docker-0">`,
		"AMI":              "<li>eu-west-1 <code>ami-0",
		"AMI that is gone": "<em>is gone</em>",
		"commit":           `<dt>Commit<dd><a href="https://github.com/acme/images/commit/`,
		"CI build":         `<dt>github-actions<dd><a href="https://github.com/acme/images/actions/runs/18200012345">18200012345</a>`,
		"architecture":     "<dt>Architecture<dd>arm64",
		"age":              `built <time datetime="2026-03-14 08:26Z">1 hour ago</time>`,
		"who moved it":     `moved <time datetime="2026-03-14 08:46Z">40 minutes ago</time> by alice`,
		"move":             "<tr><td>2026-03-10 04:46Z<td>rollback<td>",
		"reason of a move": "<td>too many errors",
		"older moves":      "and 4 more in chain.json",
		"damaged document": `<p class="problem">s3://acme-images/chain/postgres-0/channels/prod.json: unexpected end of JSON</p>`,
		"damaged registry": `<li class="problem">s3://acme-images/chain/Odd: not a name of an image`,
		"plan":             `<a href="#java-0">java-0</a> <span>amazon-ebs.arm64: not built yet</span>`,
		"edge":             ` class="old"/>`,
		"worse channel":    `aria-label="docker-0: current, prod is revoked"`,
		"size":             "amazon-ebs.x86 x86_64 8 GiB",
		"not compared":     "is not known of hardened-0, docker-0, nginx-0, postgres-0, runner-0 and 3 more",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s: the page lacks %s", what, want)
		}
	}
	for _, status := range []report.Status{report.Current, report.Unknown, report.Outdated,
		report.Incomplete, report.Revoked} {
		if badge := fmt.Sprintf(">%s</span></h3>", status); !strings.Contains(page, badge) {
			t.Errorf("no image has the word %q", status)
		}
	}
}

// TestHTML_mark checks that a card without room for a channel that is worse has a mark, and that
// the page explains it.
func TestHTML_mark(t *testing.T) {
	const legend = "An exclamation mark: a channel of the image is worse."
	for images, want := range map[int]string{3: ">current!</text>", 12: ">current; prod is revoked</text>"} {
		page := markup(render(t, sample(images, 3)))
		if !strings.Contains(page, want) || strings.Contains(page, legend) != (images == 3) {
			t.Errorf("the page of %d images lacks %q, or its legend", images, want)
		}
	}
}

func TestHTML_empty(t *testing.T) {
	page := markup(render(t, report.Report{Title: "Acme", Registry: "/srv/chain", At: sampleTime}))
	for _, want := range []string{"No images are shown.", "Nothing, as far as is known."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestHTML_size(t *testing.T) {
	page := render(t, sample(200, 10))
	if len(page) > 2_000_000 {
		t.Errorf("the page of 200 images with 10 channels each has %d bytes", len(page))
	}
	if n := bytes.Count(page, []byte("more in chain.json")); n != 2000 {
		t.Errorf("%d channels of 2000 say how much of their history is left out", n)
	}
	if !bytes.Equal(render(t, sample(30, 10)), render(t, sample(30, 10))) {
		t.Error("the same report gave another page")
	}
}

// TestHTML_alone checks that the page needs nothing but itself.
func TestHTML_alone(t *testing.T) {
	page := string(render(t, sample(30, 4)))
	if found := regexp.MustCompile(`(?i)\ssrc\s*=|srcset|@import|url\(|<link|<iframe|fetch\(`).FindString(page); found != "" {
		t.Errorf("the page may fetch something: %s", found)
	}
	if !strings.Contains(page, `content="default-src 'none';`) {
		t.Error("the page has no content security policy")
	}
}

var ages = []struct {
	past time.Duration
	want string
}{
	{-time.Hour, "2026-03-14 10:26 UTC"},
	{time.Second, "just now"},
	{90 * time.Second, "1 minute ago"},
	{119 * time.Minute, "1 hour ago"},
	{47 * time.Hour, "1 day ago"},
	{72 * time.Hour, "3 days ago"},
	{90 * 24 * time.Hour, "3 months ago"},
	{3 * 366 * 24 * time.Hour, "3 years ago"},
}

func TestHTML_age(t *testing.T) {
	for _, row := range ages {
		r := sample(1, 1)
		r.Images[0].Channels[0].BuiltAt = sampleTime.Add(-row.past)
		if page := markup(render(t, r)); !strings.Contains(page, ">"+row.want+"</time></span>") {
			t.Errorf("the page does not say %q", row.want)
		}
	}
}

const (
	hostileText = `"'><img src=//evil.example/x onerror=alert(1)><script>alert(2)</script></title>` +
		`</style></svg><base href=//evil.example>--> ${alert(3)} {{.}} #`
	// hostileCommit would run, and hostileBuild would lead to another server.
	hostileCommit = `javascript:alert(4)//`
	hostileBuild  = `//evil.example/`
)

// hostile returns a report with HTML and script in each text that it has, and these texts.
func hostile() (report.Report, []string) {
	var texts []string
	var fill func(v reflect.Value, path string)
	fill = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			text := hostileText + path
			switch {
			case strings.HasSuffix(path, ".CommitURL"):
				text = hostileCommit + path
			case strings.HasSuffix(path, ".BuildURL"):
				text = hostileBuild + path
			}
			v.SetString(text)
			texts = append(texts, text)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range 2 {
				fill(v.Index(i), fmt.Sprint(path, i))
			}
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), path)
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				v.Set(reflect.ValueOf(sampleTime))
				return
			}
			for i := range v.NumField() {
				fill(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		}
	}
	var r report.Report
	fill(reflect.ValueOf(&r).Elem(), "")
	// As real ones, so that everything is drawn that could be.
	r.Images[1].Level = 1
	r.Images[1].Parents[0] = r.Images[0].Name
	r.Images[0].Children[0] = r.Images[1].Name
	return r, texts
}

func TestHTML_hostile(t *testing.T) {
	r, texts := hostile()
	if len(texts) < 150 {
		t.Fatalf("only %d texts were planted", len(texts))
	}
	page := markup(render(t, r))
	tag := regexp.MustCompile(`<([a-z!/][^\s>]*)([^>]*)>`)
	attribute := regexp.MustCompile(`\s([^\s="]+)(?:="([^"]*)")?`)
	tags := strings.Fields("!doctype html head meta title style body a header h1 p code time strong ul li b " +
		"form label span input select option button output main section h2 div svg g path rect text ol " +
		"article h3 dl dt dd details summary i em table tr th td footer script")
	attributes := strings.Fields("html lang charset http-equiv content name class href datetime hidden " +
		"aria-label aria-labelledby aria-hidden data-status data-from data-to role type placeholder autocomplete " +
		"spellcheck value id tabindex width height viewBox d x y rx dx text-anchor open")
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		name := strings.TrimSuffix(strings.TrimPrefix(m[1], "/"), "/")
		if !slices.Contains(tags, name) {
			t.Errorf("the page has an element %s", m[0])
		}
		for _, a := range attribute.FindAllStringSubmatch(strings.TrimSuffix(m[2], "/"), -1) {
			if !slices.Contains(attributes, a[1]) {
				t.Errorf("the page has an attribute %s in %s", a[1], m[0])
			}
			address := html.UnescapeString(a[2])
			if a[1] == "href" && !strings.HasPrefix(address, "#") && !manifest.IsURL(address) {
				t.Errorf("the page has a link to %s", address)
			}
		}
	}
	for _, name := range []string{"script", "style", "title", "body"} {
		want := map[string]int{"title": 1 + len(r.Images)}[name]
		if n := strings.Count(page, "<"+name+">"); n != max(want, 1) {
			t.Errorf("the page has %d elements %s", n, name)
		}
	}
}

func TestHTML_hostileBrowser(t *testing.T) {
	b := startBrowser(t)
	r, _ := hostile()
	b.open(r, 1280, "")
	check(b, "images", "document.querySelectorAll('article').length", 2.0)
	check(b, "scripts", "document.querySelectorAll('script').length", 1.0)
	check(b, "what fetches", "document.querySelectorAll('img,iframe,object,embed,link,base').length", 0.0)
	check(b, "links", `[...document.links].filter((a) => a.protocol !== 'file:').length`, 0.0)
	// Everything is used once.
	b.run(`for (const d of document.querySelectorAll('details')) d.open = true;
		for (const s of document.querySelectorAll('.bar select')) {
			s.selectedIndex = 1;
			s.dispatchEvent(new Event('input', { bubbles: true }));
		}
		for (const a of document.querySelectorAll('.chain a')) a.dispatchEvent(new Event('focusin', { bubbles: true }));
		location.hash = document.querySelector('article').id;
		for (const c of document.querySelectorAll('.counts button, .copy')) c.click();
		new Promise((done) => setTimeout(done, 300))`)
	for _, text := range []string{r.Title, r.Registry, r.Problems[1], r.Images[1].Name, r.Images[1].Reason,
		r.Images[0].Problems[0], r.Images[0].Channels[1].AMIs[1].ID, r.Images[0].Channels[0].History[0].By,
		r.Plan[1].Why} {
		check(b, "shown as text", fmt.Sprintf("document.body.textContent.includes(%q)", text), true)
	}
	if len(b.requests) != 1 {
		t.Errorf("the page fetched %s", b.requests)
	}
	if len(b.troubles) > 0 {
		t.Errorf("the page caused %q", b.troubles)
	}
}

// TestHTML_use uses the page as its readers do.
func TestHTML_use(t *testing.T) {
	b := startBrowser(t)
	const shown = "[...document.querySelectorAll('article')].filter((a) => a.checkVisibility()).length"
	set := func(query, value string) {
		b.run(fmt.Sprintf(`var e = document.querySelector(%q); e.value = %q;
			e.dispatchEvent(new Event('input', { bubbles: true }));
			new Promise((done) => setTimeout(done, 150))`, query, value))
	}
	for _, images := range []int{3, 30, 200} {
		for _, width := range []int{1280, 768, 390} {
			b.open(sample(images, 4), width, "")
			check(b, fmt.Sprintf("%d images fit into %d pixels", images, width),
				"document.documentElement.scrollWidth <= innerWidth", true)
		}
	}
	wide := sample(200, 1)
	wide.Images[1].Name = strings.Repeat("y", 128)
	b.open(wide, 1280, "")
	check(b, "a long name leaves room for the status", `[...document.querySelectorAll('.chain svg')]
		.filter((card) => card.querySelector('text').getBoundingClientRect().right >
			card.querySelector('.word').getBoundingClientRect().left).length`, 0.0)
	b.open(sample(12, 3), 390, "")
	check(b, "everything fits on a phone", `document.querySelectorAll('details').forEach((d) => d.open = true);
		[...document.querySelectorAll('article *')]
			.filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML).join()`, "")
	b.open(sample(12, 3), 1280, "")
	b.run("document.querySelectorAll('details').forEach((d) => d.open = true); new Promise((done) => setTimeout(done, 100))")
	check(b, "what can have the focus has a name", `[...document.querySelectorAll('a, button')]
		.filter((e) => e.checkVisibility() && !e.textContent).map((e) => e.outerHTML).join()`, "")
	check(b, "a finger can hit what copies", `[...document.querySelectorAll('.copy')]
		.every((e) => e.getBoundingClientRect().height >= 24)`, true)
	b.open(sample(30, 4), 1280, "#docker-0")
	check(b, "a link opens its image", "document.querySelector('#docker-0 > details').open", true)
	check(b, "all are shown", shown, 30.0)
	set(".by-status", "revoked")
	check(b, "revoked ones are shown, and those of which a channel is", shown, 7.0)
	check(b, "the number is told", "document.querySelector('.found').textContent", "7 of 30 images")
	b.run("document.querySelector('.counts button[aria-pressed=true]').click()")
	check(b, "the count at the top is the same filter", shown, 30.0)
	set(".by-channel", "prod")
	set(".by-region", "us-east-1")
	check(b, "a filter opens what it finds", "document.querySelectorAll('article > details[open]').length", 30.0)
	check(b, "only AMIs of the region are shown", `[...document.querySelectorAll('.amis li')]
		.filter((li) => li.checkVisibility() && !li.textContent.startsWith('us-east-1')).length`, 0.0)
	b.run("document.querySelector('.bar').reset(); new Promise((done) => setTimeout(done, 50))")
	set(".find input", "NGINX")
	check(b, "the search finds names, and children of parents", shown+" < 30", true)
	check(b, "what is not found is dim", "document.querySelectorAll('.chain .off').length > 0", true)
	b.run("location.hash = 'base-3'; new Promise((done) => setTimeout(done, 150))")
	check(b, "a link leads to what the filter hid", "document.querySelector('#base-3').checkVisibility()", true)
	check(b, "and opens it", "document.querySelector('#base-3 > details').open", true)
	set(".find input", "base")
	check(b, "what somebody has opened stays so", "document.querySelector('#base-3 > details').open", true)
	set(".by-channel", "prod")
	check(b, "a filter opens what it finds", "[...document.querySelectorAll('#base-3 > details')].map((d) => d.open).join()", "false,true,false,false")
	set(".by-channel", "")
	check(b, "and then closes it", "[...document.querySelectorAll('#base-3 > details')].map((d) => d.open).join()", "true,false,false,false")
	b.run("document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }))")
	check(b, "a key leads to the search", "document.activeElement.type", "search")
	set(".find input", "no such thing")
	check(b, "nothing is found", "document.querySelector('.none').checkVisibility()", true)
	b.run("document.querySelector('.clear').focus(); document.querySelector('.clear').click()")
	check(b, "the focus is not lost with the button", "document.activeElement.id", "_images")
	const offered = "document.querySelector('.by-region').checkVisibility()"
	check(b, "regions can be chosen", offered, true)
	files := sample(1, 1)
	files.Images[0].Channels[0].AMIs = nil
	b.open(files, 1280, "")
	check(b, "without AMIs there is no region to choose", offered, false)
}
