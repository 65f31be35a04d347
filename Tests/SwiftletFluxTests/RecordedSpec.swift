// SPDX-License-Identifier: BSD-3-Clause

/// What `flux submit --dry-run` and `flux batch --dry-run` (flux-core 0.88) print, without resource limits of the shell.
enum RecordedSpec {
    /// `-n1 --env=-* --env=A=B true`
    static let one = #"""
        {"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0.0,"environment":{"A":"B"},"cwd":"/tmp"}},"version":1}
        """#

    /// `-n4 -c2 -g1 -o gpu-affinity=per-task -o pmi=simple -t 90s --cwd=/tmp --job-name=hello --output=o.txt --error=e.txt true x`
    static let ranks = #"""
        {"resources":[{"type":"slot","count":4,"with":[{"type":"core","count":2},{"type":"gpu","count":1}],"label":"task"}],"tasks":[{"command":["true","x"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":90.0,"environment":{},"cwd":"/tmp","job":{"name":"hello"},"shell":{"options":{"output":{"stdout":{"type":"file","path":"o.txt"},"stderr":{"type":"file","path":"e.txt"}},"gpu-affinity":"per-task","pmi":"simple"}}}},"version":1}
        """#

    /// `-N2 -n4 -c2 true`
    static let nodes = #"""
        {"resources":[{"type":"node","count":2,"with":[{"type":"slot","count":2,"with":[{"type":"core","count":2}],"label":"task"}]}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0.0,"environment":{},"cwd":"/tmp"}},"version":1}
        """#

    /// `-N2 -n2 -x true`
    static let exclusive = #"""
        {"resources":[{"type":"node","count":2,"exclusive":true,"with":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}]}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0.0,"environment":{},"cwd":"/tmp"}},"version":1}
        """#

    /// `--dependency=afterok:f12345 --dependency=afterany:f1 --queue=batch -B bank --requires=host:node1 true`
    static let dependent = #"""
        {"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0.0,"environment":{},"cwd":"/tmp","queue":"batch","bank":"bank","dependencies":[{"scheme":"afterok","value":"f12345"},{"scheme":"afterany","value":"f1"}],"constraints":{"hostlist":["node1"]}}},"version":1}
        """#
}
