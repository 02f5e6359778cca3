package response

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

// place is where in an HTML document the text stands, as browsers read it. Its zero value is between tags. Two places
// are equal where the same text means the same.
type place struct {
	in    context
	tag   string // of the tag that is being read, or of the element whose raw text is
	attr  string // of the attribute whose value is being read
	close bool   // the tag is an end tag
	tail  string // what was read of something that a few characters decide
	begun string // how the value of an attribute begins, while that does not yet say where a URL leads
	leads bool   // the value begins with what says where a URL leads
}

type context uint8

const (
	inText    context = iota
	inOpen            // behind <
	inName            // of a tag
	inTag             // between attributes
	inAttr            // name of an attribute
	inAssign          // behind =
	inDouble          // value in double quotes
	inSingle          // value in single quotes
	inBare            // value without quotes
	inComment         // <!-- … -->
	inMarkup          // <! … > and <? … >
	inRaw             // text of an element without tags in it: script, style, title …
	inHidden          // <!-- in a script, in which its end tag may not count
)

const (
	rawElements  = "script style textarea title xmp iframe noembed noframes plaintext"
	codeElements = "script style"
	urlAttrs     = "href src action formaction data poster cite background ping manifest xlink:href longdesc usemap classid codebase archive icon profile"
	codeAttrs    = "style srcdoc srcset imagesrcset"
	loaders      = "script link iframe frame embed object base"
)

// after is the place behind a text that begins at p.
func (p place) after(text string) place {
	for i := range len(text) {
		p = p.next(text[i])
	}
	return p
}

func (p place) next(c byte) place {
	switch p.in {
	case inText:
		if c == '<' {
			return place{in: inOpen}
		}
		return p
	case inOpen:
		return p.open(c)
	case inName, inTag, inAttr, inAssign:
		return p.inside(lower(c))
	case inDouble, inSingle, inBare:
		return p.value(c)
	case inMarkup:
		return p.markup(c)
	case inComment:
		return p.until(c, "-->", place{})
	case inHidden:
		return p.until(c, "-->", place{in: inRaw, tag: p.tag})
	}
	return p.raw(lower(c))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func isSpace(c byte) bool { return strings.IndexByte(" \t\n\f\r", c) >= 0 }

// open is behind "<", or behind "</".
func (p place) open(c byte) place {
	switch {
	case c == '/' && !p.close:
		p.close = true
		return p
	case isLetter(c):
		return place{in: inName, tag: string(lower(c)), close: p.close}
	case c == '!' || c == '?' || p.close:
		return place{in: inMarkup, tail: string(c)}.markupStart(c)
	case c == '<':
		return p
	}
	return place{}
}

func (p place) markupStart(c byte) place {
	if c == '>' {
		return place{}
	}
	return p
}

// markup is behind "<!" or "<?", which may yet become a comment.
func (p place) markup(c byte) place {
	switch {
	case p.tail == "!" && c == '-':
		p.tail = "!-"
		return p
	case p.tail == "!-" && c == '-':
		return place{in: inComment, tail: "--"} // <!--> is a whole comment
	case c == '>':
		return place{}
	}
	return place{in: inMarkup}
}

// until waits for a text, of which the tail is what was read of it.
func (p place) until(c byte, end string, then place) place {
	tail := p.tail + string(c)
	for !strings.HasPrefix(end, tail) {
		tail = tail[1:]
		if strings.HasPrefix("--!>", p.tail+string(c)) && p.tail == "--" {
			return p // --!> ends a comment too
		}
	}
	if tail == end {
		return then
	}
	p.tail = tail
	return p
}

// inside is between < and >, outside of values.
func (p place) inside(c byte) place {
	switch {
	case c == '>':
		return p.closed()
	case p.in == inAssign && c == '"':
		return place{in: inDouble, tag: p.tag, attr: p.attr, close: p.close}
	case p.in == inAssign && c == '\'':
		return place{in: inSingle, tag: p.tag, attr: p.attr, close: p.close}
	case p.in == inAssign && !isSpace(c):
		return place{in: inBare, tag: p.tag, attr: p.attr, close: p.close}.value(c)
	case p.in == inAssign:
		return p
	case isSpace(c) || c == '/':
		if p.in == inAttr {
			p.tail = " " // an = may still follow
		} else {
			p.in = inTag
		}
		return p
	case p.in == inName:
		p.tag += string(c)
		return p
	case p.in == inAttr && c == '=':
		return place{in: inAssign, tag: p.tag, attr: p.attr, close: p.close}
	case p.in == inAttr && p.tail == "":
		p.attr += string(c)
		return p
	}
	return place{in: inAttr, tag: p.tag, attr: string(c), close: p.close}
}

// closed is behind the > of a tag.
func (p place) closed() place {
	if !p.close && isOneOf(p.tag, rawElements) {
		return place{in: inRaw, tag: p.tag}
	}
	return place{}
}

func (p place) value(c byte) place {
	switch {
	case p.in == inDouble && c == '"', p.in == inSingle && c == '\'', p.in == inBare && isSpace(c):
		return place{in: inTag, tag: p.tag, close: p.close}
	case p.in == inBare && c == '>':
		return p.closed()
	case p.tag == "meta" && p.attr == "content" && p.begun == "":
		if p.begun = "text"; isSpace(c) || '0' <= c && c <= '9' {
			p.begun = delay
		}
	case !p.leads && isOneOf(p.attr, urlAttrs):
		if p.begun += string(c); leadsSomewhere(p.tag, p.begun) {
			p.begun, p.leads = "", true
		}
	}
	return p
}

// merge is the place behind one of two texts of which the first ends at p, the second at q; ok is false where they
// mean different things.
func (p place) merge(q place) (m place, ok bool) {
	if p == q {
		return p, true
	}
	p.begun, p.leads, q.begun, q.leads = undecided, false, undecided, false
	return p, p == q && p.attr != ""
}

// Beginnings of values that are no URL's: nothing that follows undecided leads anywhere, and a delay may lead on.
const (
	undecided = ":"
	delay     = "0"
)

var (
	anchored = regexp.MustCompile(`^(?i:(https?|mailto|tel|sms|ftp):|[^:&]*[/?#])`)
	onServer = regexp.MustCompile(`^(?i:(https?:)?//[^/?#\\]+[/?#]|/[^/\\])`)
)

// leadsSomewhere says that the beginning of a URL decides its scheme and, for what is loaded and run, its server.
func leadsSomewhere(tag, begin string) bool {
	begin = strings.TrimLeft(html.UnescapeString(begin), " \t\n\f\r")
	if isOneOf(tag, loaders) {
		return onServer.MatchString(begin)
	}
	return anchored.MatchString(begin)
}

// raw is the text of an element that only its end tag ends.
func (p place) raw(c byte) place {
	if p.tag == "plaintext" {
		return p
	}
	end := "</" + p.tag
	tail := p.tail + string(c)
	if p.tail == end {
		if isSpace(c) || c == '/' {
			return place{in: inTag, tag: p.tag, close: true}
		}
		if c == '>' {
			return place{}
		}
	}
	for tail != "" && !strings.HasPrefix(end, tail) && !(p.tag == "script" && strings.HasPrefix("<!--", tail)) {
		tail = tail[1:]
	}
	if tail == "<!--" {
		return place{in: inHidden, tag: p.tag}
	}
	p.tail = tail
	return p
}

// inserted is the place behind a value that stands at p.
func (p place) inserted() place {
	switch p.in {
	case inOpen:
		return place{}
	case inAssign:
		return place{in: inBare, tag: p.tag, attr: p.attr, close: p.close}
	case inRaw, inComment, inHidden, inMarkup:
		p.tail = ""
	}
	return p
}

// whole says that a document can end at p.
func (p place) whole() bool {
	return p.in == inText || p.in == inRaw && !isOneOf(p.tag, codeElements)
}

// refuses says why a value that is escaped for HTML must not stand at p, and what to do; empty where it may.
func (p place) refuses() (why, cure string) {
	const quoted = `Write the attribute in quotes: name="${…}".`
	switch p.in {
	case inText, inComment:
		return "", ""
	case inRaw, inHidden:
		if isOneOf(p.tag, codeElements) {
			return p.String(), fmt.Sprintf("Escaping does not hold there. Put it into an attribute, such as data-value=\"${…}\", or say raw() around what is safe in a %s.", p.tag)
		}
		return "", ""
	case inAssign, inBare:
		return p.String(), quoted
	case inDouble, inSingle:
		return p.refusesAttribute()
	}
	return p.String(), "A value can stand between tags and in the value of an attribute that is in quotes."
}

func (p place) refusesAttribute() (why, cure string) {
	name := strings.TrimPrefix(p.attr, "data-")
	switch {
	case strings.HasPrefix(name, "on") || strings.ContainsAny(name[:min(1, len(name))], "@:") ||
		strings.HasPrefix(name, "v-") || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "ng-") || strings.HasPrefix(name, "hx-on"):
		return p.String(), "Its text is run as a script. Put the value into another attribute and read it from there."
	case isOneOf(name, codeAttrs):
		return p.String(), "Its text is more than a value. Choose the whole attribute with a condition, or say raw() around what is safe in it."
	case p.tag == "meta" && p.attr == "content" && (p.begun == "" || p.begun == delay || p.begun == undecided):
		return p.String(), "It may lead a browser elsewhere. Write how it begins."
	case isOneOf(p.attr, urlAttrs) && !p.leads && !leadsSomewhere(p.tag, p.begun):
		return "at the beginning of a URL, " + p.String(), `It could be "javascript:…", or another server. Write how it begins: href="/users/${…}".`
	}
	return "", ""
}

// String tells the place, as the end of a sentence.
func (p place) String() string {
	switch p.in {
	case inText:
		return "between tags"
	case inDouble, inSingle:
		return fmt.Sprintf("in the attribute %s of <%s>", p.attr, p.tag)
	case inAssign, inBare:
		return fmt.Sprintf("in the attribute %s of <%s>, without quotes", p.attr, p.tag)
	case inComment:
		return "in a comment"
	case inRaw, inHidden:
		return fmt.Sprintf("in <%s>", p.tag)
	case inMarkup:
		return "in a declaration"
	case inOpen:
		return "behind <"
	}
	return fmt.Sprintf("in the tag <%s>", p.tag)
}
