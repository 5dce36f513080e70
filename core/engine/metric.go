package engine

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// The metrics.
const (
	metricL2      = "L2"
	metricIP      = "IP"
	metricCosine  = "COSINE"
	metricHamming = "HAMMING"
	metricJaccard = "JACCARD"
)

// ascending reports whether lower scores are nearer.
func ascending(metric string) bool { return metric != metricIP && metric != metricCosine }

// metricsOf returns the metrics of a field's type, the usual one first.
func metricsOf(t milvus.DataType) []string {
	switch t {
	case milvus.TypeFloatVector, milvus.TypeFloat16Vector, milvus.TypeBFloat16Vector, milvus.TypeInt8Vector:
		return []string{metricCosine, metricL2, metricIP}
	case milvus.TypeBinaryVector:
		return []string{metricHamming, metricJaccard}
	case milvus.TypeSparseVector:
		return []string{metricIP}
	}
	return nil
}

// chooseMetric settles the metric of a search: what is asked for, which must be that of the field's index if it has one.
func chooseMetric(c *metastore.Collection, f milvus.Field, asked string) (string, error) {
	known := metricsOf(f.Type)
	if known == nil {
		return "", status.Invalid("field %s is %v, which can't be searched", f.Name, f.Type)
	}
	for _, x := range c.Indexes {
		if x.Field != f.ID {
			continue
		}
		if metric, ok := milvus.Lookup(x.Params, "metric_type"); ok && metric != "" {
			if asked != "" && asked != metric {
				return "", status.Invalid("metric type not match: invalid [expected=%s][actual=%s]", metric, asked)
			}
			asked = metric
		}
	}
	if asked == "" {
		return known[0], nil
	}
	for _, m := range known {
		if m == asked {
			return m, nil
		}
	}
	return "", status.Invalid("metric type %s is not supported for field %s of type %v", asked, f.Name, f.Type)
}

// scorer returns the score of row of one vector.
type scorer func(row int) float32

// scorers makes, for the rows of one column, the scorer of query vector i. Vectors of both are canonical arrays of one field.
func scorers(metric string, column, queries arrow.Array) (func(i int) scorer, error) {
	switch rows := column.(type) {
	case *array.FixedSizeList:
		return denseScorers(metric, rows, queries.(*array.FixedSizeList))
	case *array.FixedSizeBinary:
		q := queries.(*array.FixedSizeBinary)
		distance := hamming
		if metric == metricJaccard {
			distance = jaccard
		}
		return func(i int) scorer {
			query := q.Value(i)
			return func(row int) float32 { return distance(query, rows.Value(row)) }
		}, nil
	case *array.Map:
		return sparseScorers(rows, queries.(*array.Map)), nil
	}
	return nil, status.Invalid("vectors of %v can't be compared", column.DataType())
}

func denseScorers(metric string, rows, queries *array.FixedSizeList) (func(i int) scorer, error) {
	if a, ok := rows.ListValues().(*array.Float32); ok {
		b, ok := queries.ListValues().(*array.Float32)
		if !ok {
			return nil, status.Invalid("vectors of %v can't be compared with %v", rows.DataType(), queries.DataType())
		}
		return denseOf(metric, a.Float32Values(), b.Float32Values(), rows, queries), nil
	}
	a, ok1 := rows.ListValues().(*array.Int32)
	b, ok2 := queries.ListValues().(*array.Int32)
	if !ok1 || !ok2 {
		return nil, status.Invalid("vectors of %v can't be compared with %v", rows.DataType(), queries.DataType())
	}
	return denseOf(metric, a.Int32Values(), b.Int32Values(), rows, queries), nil
}

func denseOf[T float32 | int32](metric string, a, b []T, rows, queries *array.FixedSizeList) func(i int) scorer {
	dim := int(rows.DataType().(*arrow.FixedSizeListType).Len())
	a, b = a[rows.Data().Offset()*dim:], b[queries.Data().Offset()*dim:]
	return func(i int) scorer {
		q := b[i*dim:][:dim:dim]
		switch metric {
		case metricL2:
			return func(row int) float32 { return squared(q, a[row*dim:][:dim:dim]) }
		case metricIP:
			return func(row int) float32 { return dot(q, a[row*dim:][:dim:dim]) }
		}
		norm := math.Sqrt(float64(dot(q, q)))
		return func(row int) float32 {
			v := a[row*dim:][:dim:dim]
			d := norm * math.Sqrt(float64(dot(v, v)))
			if d == 0 {
				return 0
			}
			return float32(float64(dot(q, v)) / d)
		}
	}
}

// dot adds in four lanes, which the processor works on at the same time.
func dot[T float32 | int32](a, b []T) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += float32(x[0]) * float32(y[0])
		s1 += float32(x[1]) * float32(y[1])
		s2 += float32(x[2]) * float32(y[2])
		s3 += float32(x[3]) * float32(y[3])
	}
	for ; i < len(a); i++ {
		s0 += float32(a[i]) * float32(b[i])
	}
	return s0 + s1 + s2 + s3
}

func squared[T float32 | int32](a, b []T) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		d0, d1 := float32(x[0])-float32(y[0]), float32(x[1])-float32(y[1])
		d2, d3 := float32(x[2])-float32(y[2]), float32(x[3])-float32(y[3])
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
	}
	for ; i < len(a); i++ {
		d := float32(a[i]) - float32(b[i])
		s0 += d * d
	}
	return s0 + s1 + s2 + s3
}

func hamming(a, b []byte) float32 {
	n := 0
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return float32(n)
}

// jaccard is 1 where both vectors are zero.
func jaccard(a, b []byte) float32 {
	both, any := 0, 0
	for i := range a {
		both += bits.OnesCount8(a[i] & b[i])
		any += bits.OnesCount8(a[i] | b[i])
	}
	if any == 0 {
		return 1
	}
	return float32(any-both) / float32(any)
}

func sparseScorers(rows, queries *array.Map) func(i int) scorer {
	keys, values := rows.Keys().(*array.Int64).Int64Values(), rows.Items().(*array.Float32).Float32Values()
	queryKeys, queryValues := queries.Keys().(*array.Int64).Int64Values(), queries.Items().(*array.Float32).Float32Values()
	return func(i int) scorer {
		from, to := queries.ValueOffsets(i)
		qk, qv := queryKeys[from:to], queryValues[from:to]
		return func(row int) float32 {
			from, to := rows.ValueOffsets(row)
			return sparseDot(qk, qv, keys[from:to], values[from:to])
		}
	}
}

// sparseDot multiplies vectors with ascending indices.
func sparseDot(ak []int64, av []float32, bk []int64, bv []float32) (sum float32) {
	for i, j := 0, 0; i < len(ak) && j < len(bk); {
		switch {
		case ak[i] == bk[j]:
			sum += av[i] * bv[j]
			i++
			j++
		case ak[i] < bk[j]:
			i++
		default:
			j++
		}
	}
	return sum
}
