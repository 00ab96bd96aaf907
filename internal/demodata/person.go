package demodata

import (
	"math"
	"math/rand/v2"
)

// person is who stands behind a case, and with what.
type person struct {
	jurisdiction, document, device, locale, segment string
	// impostor shows somebody else's document; fake is an attack on the camera:
	// "" for none, print or screen.
	impostor bool
	fake     string
	expired  bool
	clumsy   float64 // how likely a photo is poor
	signals  map[string]float64
}

type share[T any] struct {
	of T
	p  float64
}

func draw[T any](r *rand.Rand, from []share[T]) T {
	sum := 0.0
	for _, s := range from {
		sum += s.p
	}
	x := r.Float64() * sum
	for _, s := range from {
		if x -= s.p; x < 0 {
			return s.of
		}
	}
	return from[len(from)-1].of
}

var countries = []share[[2]string]{
	{[2]string{"DE", "de"}, 24}, {[2]string{"FR", "fr"}, 17}, {[2]string{"ES", "es"}, 13}, {[2]string{"IT", "it"}, 10}, {[2]string{"PL", "pl"}, 9},
	{[2]string{"NL", "nl"}, 7}, {[2]string{"GB", "en"}, 9}, {[2]string{"US", "en"}, 6}, {[2]string{"BR", "pt"}, 3}, {[2]string{"TR", "tr"}, 2},
}

// documents that people of a country come with.
var documents = map[string][]share[string]{
	"":   {{"passport", 30}, {"id_card", 58}, {"residence_permit", 7}, {"driving_licence", 5}},
	"GB": {{"passport", 72}, {"driving_licence", 24}, {"residence_permit", 4}},
	"US": {{"passport", 45}, {"driving_licence", 55}},
	"BR": {{"passport", 80}, {"id_card", 20}},
}

var devices = []share[string]{{"phone", 78}, {"desktop", 15}, {"tablet", 7}}

func newPerson(r *rand.Rand) person {
	c := draw(r, countries)
	kinds := documents[c[0]]
	if kinds == nil {
		kinds = documents[""]
	}
	p := person{
		jurisdiction: c[0], locale: c[1], document: draw(r, kinds), device: draw(r, devices),
		segment:  draw(r, []share[string]{{"retail", 80}, {"business", 20}}),
		impostor: r.Float64() < 0.035, expired: r.Float64() < 0.02,
	}
	p.clumsy = map[string]float64{"phone": 0.13, "tablet": 0.18, "desktop": 0.30}[p.device]
	if p.document != "passport" {
		p.clumsy += 0.03
	}
	if r.Float64() < 0.02 {
		p.fake = draw(r, []share[string]{{"print", 55}, {"screen", 45}})
	}
	risky := p.impostor || p.fake != ""
	p.signals = map[string]float64{
		"amount":           math.Round(math.Exp(4.5+1.3*r.NormFloat64()+pick(risky, 1.2, 0))*100) / 100,
		"velocity":         float64(r.IntN(2)) + pick(risky && r.Float64() < 0.5, float64(2+r.IntN(6)), 0),
		"device_risk":      clamp(math.Abs(r.NormFloat64())*0.15+pick(risky, 0.35, 0.05), 0, 1),
		"account_age_days": math.Floor(math.Exp(r.Float64()*pick(risky, 3, 7)) - 1),
	}
	return p
}

func pick(cond bool, a, b float64) float64 {
	if cond {
		return a
	}
	return b
}

func clamp(x, low, high float64) float64 { return math.Max(low, math.Min(high, x)) }
