import CNice
import Foundation
import Synchronization

/// One thread with one GMainContext, on which media endpoints live: their executor.
///
/// libnice calls back on this thread, so an actor that returns the loop as its `unownedExecutor` is already isolated
/// there: a packet travels from the socket to the jitter buffer as plain function calls. An endpoint stays on
/// one loop for life. The last reference to the loop ends its thread; it may be dropped anywhere, on the loop too.
package final class GLibLoop: SerialExecutor, @unchecked Sendable {
  // Proof of Sendable: `jobs` is guarded by its mutex, `draining` is the loop's thread's alone once `init` has returned;
  // GLib's contexts and sources are thread-safe.
  private let jobs = Mutex<[UnownedJob]>([])
  private var draining: [UnownedJob] = []
  let context: OpaquePointer
  private let wakeup = LoopSource()
  private let end = End()

  /// Tells the thread to stop; outlives the loop, as the thread may.
  private final class End: Sendable {
    let hasCome = Atomic(false)
  }

  /// - Parameter name: the thread's name, at most 15 bytes.
  package init(name: String = "carillon-media") {
    context = g_main_context_new()
    draining.reserveCapacity(16)
    // Weak: a wakeup may be under way while the last reference is dropped elsewhere.
    wakeup.attach(to: context) { [weak self] in self?.drain() }
    // The thread has references of its own to what it runs on, not to this object, so that the last reference ends it.
    nonisolated(unsafe) let context = g_main_context_ref(context)!
    let thread = Thread { [end] in
      // Foundation may tell the system of a name too early or too late.
      try? Data(name.utf8.prefix(15)).write(to: URL(fileURLWithPath: "/proc/thread-self/comm"))
      SRTPSession.prepare()
      g_main_context_push_thread_default(context)
      while !end.hasCome.load(ordering: .acquiring) { g_main_context_iteration(context, 1) }
      g_main_context_pop_thread_default(context)
      g_main_context_unref(context)
    }
    thread.start()
  }

  deinit {
    // No actor is left (each keeps its executor), so no job can be queued.
    wakeup.destroy()
    end.hasCome.store(true, ordering: .releasing)
    g_main_context_wakeup(context)
    g_main_context_unref(context)
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let wasEmpty = jobs.withLock { jobs in
      jobs.append(job)
      return jobs.count == 1
    }
    if wasEmpty { wakeup.fireNow() }
  }

  package func checkIsolated() {
    precondition(isOnLoop, "called from outside the media loop's thread")
  }

  package func isIsolatingCurrentContext() -> Bool? { isOnLoop }

  package var isOnLoop: Bool { g_main_context_is_owner(context) != 0 }

  private func drain() {
    jobs.withLock { swap(&$0, &draining) }
    for job in draining { job.runSynchronously(on: asUnownedSerialExecutor()) }
    draining.removeAll(keepingCapacity: true)
  }
}

/// A source of a GMainContext that calls back when its time has come or a file has something to read: the loop's queue,
/// every timer and the network monitor.
final class LoopSource: @unchecked Sendable {
  // Proof of Sendable: `attach` comes before every other call; what those call is thread-safe in GLib. The action belongs
  // to the GSource, which keeps it while it runs, so this object may go at any time, on any thread.
  private let source: UnsafeMutablePointer<GSource>
  private var context: OpaquePointer?

  private final class Action {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  init() {
    source = g_source_new(LoopSource.functions, guint(MemoryLayout<GSource>.size))
  }

  deinit {
    destroy()
    g_source_unref(source)
    // A source looks at its context until its very end.
    if let context { g_main_context_unref(context) }
  }

  /// - Parameter action: called on the context's thread, until `destroy`.
  func attach(to context: OpaquePointer, action: @escaping () -> Void) {
    precondition(self.context == nil, "a source is attached once")
    self.context = g_main_context_ref(context)
    g_source_set_callback(
      source,
      { action in
        guard let action else { return 0 }
        Unmanaged<Action>.fromOpaque(action).takeUnretainedValue().run()
        return 1
      }, Unmanaged.passRetained(Action(action)).toOpaque(), { action in
        if let action { Unmanaged<Action>.fromOpaque(action).release() }
      })
    g_source_attach(source, context)
  }

  /// Calls back also whenever there is something to read. Before `attach`; the action keeps the file open.
  func watch(_ descriptor: Int32) {
    _ = g_source_add_unix_fd(source, descriptor, G_IO_IN)
  }

  func destroy() {
    g_source_destroy(source)
  }

  /// Callable from any thread.
  func fireNow() {
    g_source_set_ready_time(source, 0)
  }

  /// - Parameter delay: from now; nil disarms.
  func fire(after delay: Duration?) {
    guard let delay else { return g_source_set_ready_time(source, -1) }
    let microseconds = max(0, (delay / .microseconds(1)).rounded(.up))
    g_source_set_ready_time(source, g_get_monotonic_time() + gint64(microseconds))
  }

  // Never freed: one for the process, and GLib reads it as long as a source exists.
  nonisolated(unsafe) private static let functions: UnsafeMutablePointer<GSourceFuncs> = {
    let functions = UnsafeMutablePointer<GSourceFuncs>.allocate(capacity: 1)
    functions.initialize(to: GSourceFuncs())
    functions.pointee.dispatch = { source, action, context in
      g_source_set_ready_time(source, -1)
      return action?(context) ?? 0
    }
    return functions
  }()
}
