package main

import "slices"

// measure is what is compared, or held against a bound.
type measure string

const (
	ofWall    measure = "wall"                    // how many times less wall time ours takes than the other
	ofCPU     measure = "CPU"                     // how many times less processor time: rows per CPU second
	ofVectors measure = "GB of vectors per CPU s" // read, of dense vectors
	ofDeletes measure = "million deletes per CPU s"
	ofPeak    measure = "peak MB"          // resident
	ofScan    measure = "of the wall time" // that the same query needs over the other's files
	ofSeconds measure = "s"                // of wall time
)

// goal sets a case of ours beside another, or against a bound.
type goal struct {
	ours, beside string
	of           measure
	least, most  float64 // what the median is to be; 0 is no goal: it is told all the same
}

// Goal is what came of it.
type Goal struct {
	Ours    string     `json:"ours"`
	Beside  string     `json:"beside,omitempty"`
	Measure measure    `json:"measure"`
	Value   [3]float64 `json:"value"` // median, least, greatest
	Least   float64    `json:"goal_least,omitempty"`
	Most    float64    `json:"goal_most,omitempty"`
}

// Met tells whether the median is as good as wanted.
func (g Goal) Met() bool { return g.Value[0] >= g.Least && (g.Most == 0 || g.Value[0] <= g.Most) }

// Wanted tells whether there is a goal at all.
func (g Goal) Wanted() bool { return g.Least > 0 || g.Most > 0 }

// judge computes the goals whose cases were measured. Ratios are taken within each round, whose runs stand close together, before
// their median is: picking the best of several would favour who has more.
func (s *section) judge() (out []Goal) {
	for _, g := range s.goals {
		ours := s.find(g.ours)
		if ours == nil || len(ours.Measured) == 0 {
			continue
		}
		var values []float64
		for round, m := range ours.Measured {
			switch g.of {
			case ofVectors:
				values = append(values, float64(s.data.VectorBytes)/1e9/m.CPU())
			case ofDeletes:
				values = append(values, float64(s.deletes)/1e6/m.CPU())
			case ofPeak:
				values = append(values, float64(m.Peak)/1e6)
			case ofSeconds:
				values = append(values, m.Wall)
			default:
				if beside := s.find(g.beside); beside != nil && round < len(beside.Measured) {
					values = append(values, ratio(g.of, beside.Measured[round], m))
				}
			}
		}
		if len(values) > 0 {
			out = append(out, Goal{Ours: g.ours, Beside: g.beside, Measure: g.of, Value: median(values), Least: g.least, Most: g.most})
		}
	}
	return out
}

func ratio(of measure, theirs, ours Measurement) float64 {
	if of == ofCPU {
		return theirs.CPU() / ours.CPU()
	}
	return theirs.Wall / ours.Wall
}

// median returns it with the least and the greatest.
func median(v []float64) [3]float64 {
	slices.Sort(v)
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (middle + v[len(v)/2-1]) / 2
	}
	return [3]float64{middle, v[0], v[len(v)-1]}
}
