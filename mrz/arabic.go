package mrz

// shadda marks a letter as doubled.
const shadda = '\u0651'

// arabic is table C of 9303-3 §6. X begins what has no Latin letter of its
// own, so that the spelling can be turned back. Vowel marks are not encoded;
// tokens drops them.
var arabic = map[rune][]string{
	'ء': {"XE"}, 'آ': {"XAA"}, 'أ': {"XAE"}, 'ؤ': {"U"}, 'إ': {"I"}, 'ئ': {"XI"}, 'ا': {"A"}, 'ب': {"B"},
	'ة': {"XTA", "XAH"}, // the second at the end of a name
	'ت': {"T"}, 'ث': {"XTH"}, 'ج': {"J"}, 'ح': {"XH"}, 'خ': {"XKH"}, 'د': {"D"}, 'ذ': {"XDH"}, 'ر': {"R"}, 'ز': {"Z"},
	'س': {"S"}, 'ش': {"XSH"}, 'ص': {"XSS"}, 'ض': {"XDZ"}, 'ط': {"XTT"}, 'ظ': {"XZZ"}, 'ع': {"E"}, 'غ': {"G"},
	'ـ': {""}, 'ف': {"F"}, 'ق': {"Q"}, 'ك': {"K"}, 'ل': {"L"}, 'م': {"M"}, 'ن': {"N"}, 'ه': {"H"}, 'و': {"W"},
	'ى': {"XAY"}, 'ي': {"Y"}, 'ٱ': {"XXA"}, 'ٹ': {"XXT"}, 'ټ': {"XRT"}, 'پ': {"P"}, 'ځ': {"XKE"}, 'څ': {"XXH"},
	'چ': {"XC"}, 'ڈ': {"XXD"}, 'ډ': {"XDR"}, 'ڑ': {"XXR"}, 'ړ': {"XRR"}, 'ږ': {"XRX"}, 'ژ': {"XJ"}, 'ښ': {"XXS"},
	'ڜ': {""}, 'ڢ': {""}, 'ڧ': {""}, 'ڨ': {""}, 'ک': {"XKK"}, 'ګ': {"XXK"}, 'ڭ': {"XNG"}, 'گ': {"XGG"}, 'ں': {"XNN"},
	'ڼ': {"XXN"}, 'ھ': {"XDO"}, 'ۀ': {"XYH"}, 'ہ': {"XXG"}, 'ۂ': {"XGE"}, 'ۃ': {"XTG"}, 'ی': {"XYA"}, 'ۍ': {"XXY"},
	'ې': {"Y"}, 'ے': {"XYB"}, 'ۓ': {"XBE"},
}
