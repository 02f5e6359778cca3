package gateway

import (
	"fmt"
	"testing"
)

func TestASizeIsANumberAndAUnit(t *testing.T) {
	for text, want := range map[string]int64{"0B": 0, "512B": 512, "8KiB": 8192, "3MiB": 3 << 20, "2GiB": 2 << 30} {
		if n, err := ParseSize(text); err != nil || n != want {
			t.Errorf("%s is %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "8", "KiB", "-1KiB", "+1KiB", "1.5KiB", "8 KiB", "8kib", "8KB", "9223372036854775807KiB", "99999999999999999999B"} {
		if n, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"8KiB", "1GiB", "0B", "9223372036854775807B", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if n < 0 || err != nil && n != 0 {
			t.Errorf("%q is %d, %v", text, n, err)
		}
		if again, err2 := ParseSize(fmt.Sprintf("%dB", n)); err2 != nil || again != n {
			t.Errorf("%d bytes are %d, %v", n, again, err2)
		}
	})
}
