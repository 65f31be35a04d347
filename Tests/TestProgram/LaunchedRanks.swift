// SPDX-License-Identifier: BSD-3-Clause
// Ranks that a launcher starts, on several nodes and with MPI: in Slurm and in Flux.
import Glibc
import Swiftlet

/// One rank's number, its node where Slurm names it, and what it had ready.
struct RankPlace: RemoteTask {
    var failing: Int?
    var dying: Int?
    func run() async throws -> String {
        let (rank, count) = TaskContext.current.map { ($0.rank, $0.rankCount) } ?? (-1, -1)
        if rank == failing { throw OutOfRange(number: rank) }
        if rank == dying { kill(getpid(), SIGKILL) }
        if failing != nil || dying != nil { try await Task.sleep(for: .seconds(600)) }
        let table = (try? Table.state.count).map { " \($0)" } ?? ""
        return "\(rank)/\(count) \(getenv("SLURMD_NODENAME").map { String(cString: $0) } ?? "-")\(table)"
    }
}

/// Calls the site's MPI, as a program does by C interop; here the library is loaded, so that building this needs none (MPICH's handles).
struct SumOverMPI: RemoteTask {
    struct Value: Codable, Sendable {
        let rank: Int32
        let size: Int32
        let sum: Int32
        let isRankOfTask: Bool
    }
    let library: String

    private typealias Initialize = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Int32
    private typealias Ask = @convention(c) (Int32, UnsafeMutablePointer<Int32>) -> Int32
    private typealias Reduce =
        @convention(c) (
            UnsafePointer<Int32>, UnsafeMutablePointer<Int32>, Int32, Int32, Int32, Int32
        ) -> Int32
    private typealias Finish = @convention(c) () -> Int32

    func run() async throws -> Value {
        guard let mpi = dlopen(library, RTLD_NOW | RTLD_GLOBAL) else { throw OutOfRange(number: -1) }
        func function<F>(_ name: String, _ type: F.Type) -> F { unsafeBitCast(dlsym(mpi, name), to: type) }
        let (world, int, sum) = (Int32(0x4400_0000), Int32(0x4c00_0405), Int32(0x5800_0003))
        var (rank, size, total): (Int32, Int32, Int32) = (-1, -1, -1)
        guard function("MPI_Init", Initialize.self)(nil, nil) == 0 else { throw OutOfRange(number: -2) }
        _ = function("MPI_Comm_rank", Ask.self)(world, &rank)
        _ = function("MPI_Comm_size", Ask.self)(world, &size)
        var own = rank + 1
        _ = function("MPI_Allreduce", Reduce.self)(&own, &total, 1, int, sum, world)
        _ = function("MPI_Finalize", Finish.self)()
        let context = TaskContext.current
        return Value(
            rank: rank, size: size, sum: total,
            isRankOfTask: context?.rank == Int(rank) && context?.rankCount == Int(size))
    }
}

enum LaunchedRanks {
    /// - Parameters:
    ///   - site: an executor of several nodes with four cores each.
    ///   - library: MPICH's; empty: none.
    ///   - arguments: what a launcher needs to be told for that.
    static func run(_ site: ExecutorConfiguration, library: String, arguments: [String]) async throws {
        try await withExecutor(site) { executor in
            let many = try await executor.submitToRanks(RankPlace(), resources: ResourceRequest(cores: 6)).value
            print(many.map { $0.prefix { $0 != " " } }.joined(separator: " "))
            let spread = try await executor.submitToRanks(RankPlace(), resources: ResourceRequest(cores: 4, nodes: 2)).value
            print(Set(spread.map { $0.split(separator: " ")[1] }).sorted().joined(separator: " "))
            print(try await executor.run(RankPlace(), resources: ResourceRequest(cores: 2, usesMPI: true)).prefix(3))
            for rank in [0, 5] {
                let failed = await (try executor.submit(RankPlace(failing: rank), resources: ResourceRequest(cores: 6))).result
                if case .failure(let error) = failed { print(error.code, error.cause as? OutOfRange ?? OutOfRange(number: -1)) }
                let dead = await (try executor.submit(RankPlace(dying: rank), resources: ResourceRequest(cores: 6))).result
                if case .failure(let error) = dead {
                    print(error.code, error.signal == SIGKILL ? "killed" : "\(error.signal ?? 0)")
                }
            }
            guard !library.isEmpty else { return }
            let request = ResourceRequest(cores: 4, launcherArguments: arguments, nodes: 2, usesMPI: true)
            let sums = try await executor.submitToRanks(SumOverMPI(library: library), resources: request).value
            print(sums.map { "\($0.rank)/\($0.size)=\($0.sum)" }.joined(separator: " "), sums.allSatisfy(\.isRankOfTask))
        }
    }

    /// Groups that stay and have something ready.
    static func runWarm(_ site: ExecutorConfiguration) async throws {
        try await withExecutor(site) { executor in
            for _ in 0..<3 { print(try await executor.submitToRanks(RankPlace()).value.map { $0.suffix(3) }.joined()) }
            print(try await executor.submitToRanks(RankPlace(), resources: site.resources).value.count)
        }
    }
}
