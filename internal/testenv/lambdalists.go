package testenv

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

const latest = "$LATEST"

func (s *LambdaSimulator) listFunctions(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.functions))
	var all []any
	for _, n := range names {
		f := s.functions[n]
		all = append(all, s.configuration(f, latest))
		if r.URL.Query().Get("FunctionVersion") == "ALL" {
			for _, v := range slices.Sorted(maps.Keys(f.Versions)) {
				all = append(all, s.configuration(f, v))
			}
		}
	}
	s.mu.Unlock()
	s.list(w, r, "Functions", all)
}

func (s *LambdaSimulator) listVersions(w http.ResponseWriter, r *http.Request, f SimulatedFunction) {
	all := []any{s.configuration(f, latest)}
	for _, v := range slices.Sorted(maps.Keys(f.Versions)) {
		all = append(all, s.configuration(f, v))
	}
	s.list(w, r, "Versions", all)
}

func (s *LambdaSimulator) listAliases(w http.ResponseWriter, r *http.Request, f SimulatedFunction) {
	var all []any
	for _, name := range slices.Sorted(maps.Keys(f.Aliases)) {
		a := f.Aliases[name]
		if of := r.URL.Query().Get("FunctionVersion"); of != "" && of != a.Version {
			continue
		}
		entry := map[string]any{"AliasArn": s.arn(f.Name) + ":" + name, "Name": name, "FunctionVersion": a.Version}
		if len(a.Weights) > 0 {
			entry["RoutingConfig"] = map[string]any{"AdditionalVersionWeights": a.Weights}
		}
		all = append(all, entry)
	}
	s.list(w, r, "Aliases", all)
}

func (s *LambdaSimulator) listURLs(w http.ResponseWriter, r *http.Request, f SimulatedFunction) {
	var all []any
	for _, qualifier := range slices.Sorted(maps.Keys(f.URLs)) {
		arn := s.arn(f.Name)
		if qualifier != "" {
			arn += ":" + qualifier
		}
		all = append(all, map[string]any{
			"FunctionArn": arn, "FunctionUrl": f.URLs[qualifier] + "/", "AuthType": "AWS_IAM",
			"CreationTime": "2026-01-01T00:00:00.000Z", "LastModifiedTime": "2026-01-01T00:00:00.000Z",
		})
	}
	s.list(w, r, "FunctionUrlConfigs", all)
}

func (s *LambdaSimulator) list(w http.ResponseWriter, r *http.Request, field string, all []any) {
	from, to, next, err := s.page(r, len(all))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidParameterValueException", err.Error())
		return
	}
	answer := map[string]any{field: append([]any{}, all[from:to]...), "NextMarker": nil}
	if next != "" {
		answer["NextMarker"] = next
	}
	reply(w, answer)
}

// configuration is how lists show one version of a function.
func (s *LambdaSimulator) configuration(f SimulatedFunction, version string) map[string]any {
	arn := s.arn(f.Name)
	if version != latest {
		arn += ":" + version
	}
	return map[string]any{
		"FunctionName": f.Name, "FunctionArn": arn, "Version": version, "Runtime": "provided.al2023",
		"Handler": "bootstrap", "Timeout": int(f.timeout() / time.Second), "MemorySize": 128, "State": "Active",
		"LastUpdateStatus": "Successful", "PackageType": "Zip", "LastModified": "2026-01-01T00:00:00.000+0000",
		"RevisionId": or(f.Revision, "1"), "Description": f.Description,
	}
}

func (f SimulatedFunction) timeout() time.Duration {
	if f.Timeout == 0 {
		return 3 * time.Second
	}
	return f.Timeout
}
