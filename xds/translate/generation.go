package translate

// Generation is the newest generation of the listeners' fixed filter list that this release can serve; a filter says in
// Since which generation has it first. It rises by one when a release adds a filter, since that drains the connections of
// every listener once. While a replica of an older release is alive, the older generation is served: see Inputs.Generation.
//
//	1: what features of routes need
//	2: what calls of functions need
//	3: what policies need: who may call, how much, and what happens on the way
const Generation = 3

// PoliciesSince is the generation that has first what policies need.
const PoliciesSince = 3

// FunctionsSince is the generation that has first what calls of functions need.
const FunctionsSince = 2

// served is the generation that a listener is built of: the one in force, as far as this release knows it.
func served(inForce int) int {
	if inForce < 1 || inForce > Generation {
		return Generation
	}
	return inForce
}

// filtersOf is the filter list of a generation, in order, without the router; the caller may append to it.
func (t *Translator) filtersOf(inForce int) (list []Filter) {
	list = append(t.featureFilters(inForce, false), scriptFilters(served(inForce))...)
	list = append(list, t.featureFilters(inForce, true)...)
	return append(list, grpcFilters(served(inForce))...)
}

// featureFilters lists the features' filters that stand before the script, or those that stand behind it.
func (t *Translator) featureFilters(inForce int, last bool) (list []Filter) {
	generation := served(inForce)
	for _, f := range t.filters {
		if f.Since <= generation && f.Last == last {
			list = append(list, f)
		}
	}
	return list
}

// since is the generation that has all filters of the feature; 0 where it needs none.
func (k Kind) since() (since int) {
	if k.Filters == nil {
		return 0
	}
	for _, f := range k.Filters() {
		since = max(since, f.Since, 1)
	}
	return since
}
