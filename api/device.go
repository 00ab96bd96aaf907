package api

import "strings"

// deviceClass tells phones, tablets and desktops apart by what a browser says of
// itself; only the class is kept. Empty: it says nothing that tells.
func deviceClass(userAgent, mobile string) string {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(userAgent, w) {
				return true
			}
		}
		return false
	}
	switch {
	case mobile == "?1": // Sec-CH-UA-Mobile of User-Agent Client Hints
		return "phone"
	case has("iPad", "Tablet"), has("Android") && !has("Mobile"):
		return "tablet"
	case has("iPhone", "iPod", "Mobile"):
		return "phone"
	case mobile == "?0", has("Windows NT", "Macintosh", "X11", "CrOS"):
		return "desktop"
	}
	return ""
}
