import Glibc
import Models

/// The text of `/metrics`.
struct MetricsPage {
    let metrics: Metrics
    let queue: QueueStatus
    let threads: Int
    let models: [Model]
    let connections: Int
    let version: String

    func text() -> String {
        let state = metrics.snapshot
        var page = PrometheusText()
        page.family("encoderd_requests_total", "counter", "Requests answered, by route and status.")
        for (key, count) in state.requests.sorted(by: { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) })
        {
            page.sample(
                "encoderd_requests_total", [("route", key.route), ("status", String(key.status))], Double(count))
        }
        page.family("encoderd_request_duration_seconds", "histogram", "From a request's arrival to its answer.")
        for (route, histogram) in state.latency.sorted(by: { $0.key < $1.key }) {
            page.histogram(
                "encoderd_request_duration_seconds", [("route", route)], histogram, Metrics.latencyBounds)
        }
        page.family("encoderd_requests_failed_total", "counter", "Requests the queue did not answer with results.")
        for reason in Metrics.Failure.allCases {
            page.sample(
                "encoderd_requests_failed_total", [("reason", reason.rawValue)], Double(state.failures[reason] ?? 0))
        }
        func gauge(_ name: String, _ help: String, _ value: Double) {
            page.family(name, "gauge", help)
            page.sample(name, [], value)
        }
        func gauge(_ name: String, _ help: String, _ value: Int) { gauge(name, help, Double(value)) }
        page.family("encoderd_build_info", "gauge", "The version of the server.")
        page.sample("encoderd_build_info", [("version", version)], 1)
        gauge("encoderd_requests_in_progress", "Requests accepted and not yet answered.", queue.requests)
        gauge("encoderd_preparing", "Jobs waiting to read a request or write a piece of a response.", queue.preparing)
        gauge(
            "encoderd_queue_seconds", "Estimated time of the sequences waiting for a forward pass, on one core.",
            queue.queuedSeconds)
        gauge("encoderd_queue_tokens", "Tokens or steps waiting for a forward pass.", queue.queuedTokens)
        gauge("encoderd_queue_sequences", "Sequences waiting for a forward pass.", queue.queuedSequences)
        gauge("encoderd_workers", "Worker threads.", threads)
        gauge("encoderd_workers_busy", "Worker threads at work.", queue.busyWorkers)
        gauge("encoderd_connections", "Open connections.", connections)
        writeModels(state, &page)
        writeProcess(&page)
        return page.text
    }

    private func writeModels(_ state: Metrics.State, _ page: inout PrometheusText) {
        let counts = Array(zip(models, state.models))
        page.family("encoderd_model_info", "gauge", "Loaded models.")
        for model in models {
            let description = model.description
            page.sample(
                "encoderd_model_info",
                [
                    ("model", model.name), ("family", description.architecture.family),
                    ("precision", description.runtime.precision),
                    ("kernel", description.runtime.instructionSet.rawValue),
                    ("parameters", String(description.architecture.parameters)),
                ], 1)
        }
        page.family("encoderd_tokens_total", "counter", "Tokens or steps that forward passes have read.")
        for (model, counts) in counts {
            page.sample("encoderd_tokens_total", [("model", model.name)], Double(counts.tokens))
        }
        page.family("encoderd_inference_seconds_total", "counter", "Time spent in forward passes.")
        for (model, counts) in counts {
            page.sample("encoderd_inference_seconds_total", [("model", model.name)], counts.seconds)
        }
        page.family(
            "encoderd_queue_time_seconds", "histogram", "From queuing a request's sequences to their first pass.")
        for (model, counts) in counts {
            page.histogram(
                "encoderd_queue_time_seconds", [("model", model.name)], counts.queueSeconds, Metrics.latencyBounds)
        }
        page.family(
            "encoderd_run_time_seconds", "histogram", "From a request's first forward pass to the end of its last.")
        for (model, counts) in counts {
            page.histogram(
                "encoderd_run_time_seconds", [("model", model.name)], counts.runSeconds, Metrics.latencyBounds)
        }
        page.family("encoderd_batch_sequences", "histogram", "Sequences in a forward pass.")
        for (model, counts) in counts {
            page.histogram(
                "encoderd_batch_sequences", [("model", model.name)], counts.batchSequences, Metrics.batchSequenceBounds)
        }
        page.family("encoderd_batch_tokens", "histogram", "Tokens or steps in a forward pass.")
        for (model, counts) in counts {
            page.histogram(
                "encoderd_batch_tokens", [("model", model.name)], counts.batchTokens, Metrics.batchTokenBounds)
        }
    }

    /// Writes the metrics of the process, named as in the official client libraries, from the fields of proc_pid_stat(5).
    private func writeProcess(_ page: inout PrometheusText) {
        // The second field is the command in parentheses and may hold spaces: count from what follows it (field 3).
        let stat = readSmallFile("/proc/self/stat") ?? ""
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let start = Double(fields[19]), let pages = Double(fields[21])
        else { return }
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        page.family("process_cpu_seconds_total", "counter", "User and system CPU time.")
        page.sample("process_cpu_seconds_total", [], (user + system) / ticks)
        if let descriptors = Self.openDescriptors {
            page.family("process_open_fds", "gauge", "Open descriptors.")
            page.sample("process_open_fds", [], Double(descriptors))
        }
        page.family("process_resident_memory_bytes", "gauge", "Resident memory.")
        page.sample("process_resident_memory_bytes", [], pages * Double(sysconf(Int32(_SC_PAGESIZE))))
        let boot = (readSmallFile("/proc/stat") ?? "").split(separator: "\n").first { $0.hasPrefix("btime ") }
        if let boot = boot.flatMap({ Double($0.dropFirst(6)) }) {
            page.family("process_start_time_seconds", "gauge", "Start of the process, in Unix time.")
            page.sample("process_start_time_seconds", [], boot + start / ticks)
        }
    }

    /// The number of open descriptors, without the one that counts them; `nil` if the system does not tell.
    private static var openDescriptors: Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            if entry.pointee.d_name.0 != 0x2E { count += 1 }
        }
        return count - 1
    }
}
