import Glibc

/// Counts what the calling thread allocates, where `Tools/Benchmarks/rtp` has put a counter under malloc.
struct AllocationCounter {
  private typealias Count = @convention(c) () -> UInt64
  private let function: Count

  /// Nil where there is no counter.
  init?() {
    guard let symbol = dlsym(nil, "carillon_allocation_count") else { return nil }
    // The library that exports the symbol defines it with this type.
    function = unsafeBitCast(symbol, to: Count.self)
  }

  /// Allocations of the calling thread so far.
  var count: UInt64 { function() }
}
