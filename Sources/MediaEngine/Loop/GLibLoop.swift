import CNice
import Foundation
import Synchronization

/// One thread with one GMainContext, on which media endpoints live: their executor.
///
/// libnice calls back on this thread, so an actor that returns the loop as its `unownedExecutor` is already isolated
/// there: a packet travels from the socket to the jitter buffer as plain function calls. An endpoint stays on
/// one loop for life.
package final class GLibLoop: SerialExecutor, @unchecked Sendable {
  // Proof of Sendable: `jobs` is guarded by its mutex; the GLib objects are created before the thread starts, are
  // thread-safe in the calls made here (g_source_set_ready_time, g_main_loop_quit), and die after it has ended.
  private let jobs = Mutex<[UnownedJob]>([])
  private var draining: [UnownedJob] = []
  let context: OpaquePointer
  private let mainLoop: OpaquePointer
  private let wakeup: LoopSource

  /// - Parameter name: the thread's name, at most 15 bytes.
  package init(name: String = "carillon-media") {
    context = g_main_context_new()
    mainLoop = g_main_loop_new(context, 0)
    wakeup = LoopSource()
    draining.reserveCapacity(16)
    wakeup.attach(to: context) { [unowned self] in self.drain() }
    // The thread has references of its own to what it runs on, not to this object, so that the last reference ends it.
    nonisolated(unsafe) let (context, mainLoop) = (g_main_context_ref(context)!, g_main_loop_ref(mainLoop)!)
    let thread = Thread {
      g_main_context_push_thread_default(context)
      g_main_loop_run(mainLoop)
      g_main_context_pop_thread_default(context)
      g_main_loop_unref(mainLoop)
      g_main_context_unref(context)
    }
    thread.name = name
    thread.start()
  }

  deinit {
    // No actor is left (each keeps its executor), so no job can be queued.
    wakeup.destroy()
    g_main_loop_quit(mainLoop)
    g_main_loop_unref(mainLoop)
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

/// A source of a GMainContext that calls back when its time has come: the loop's queue and every timer.
final class LoopSource: @unchecked Sendable {
  // Proof of Sendable: `attach`, `fire` and `destroy` are called on the loop's thread or before it starts; what other
  // threads call is `fireNow`, and g_source_set_ready_time is thread-safe.
  private let source: UnsafeMutablePointer<GSource>
  private var action: (() -> Void)?

  init() {
    source = g_source_new(LoopSource.functions, guint(MemoryLayout<GSource>.size))
  }

  deinit {
    destroy()
    g_source_unref(source)
  }

  /// - Parameter action: called on the context's thread, until `destroy`.
  func attach(to context: OpaquePointer, action: @escaping () -> Void) {
    self.action = action
    g_source_set_callback(source, nil, Unmanaged.passUnretained(self).toOpaque(), nil)
    g_source_attach(source, context)
  }

  func destroy() {
    if g_source_is_destroyed(source) == 0 { g_source_destroy(source) }
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
    functions.pointee.dispatch = { source, _, context in
      g_source_set_ready_time(source, -1)
      guard let context else { return 1 }
      let owner = Unmanaged<LoopSource>.fromOpaque(context).takeUnretainedValue()
      withExtendedLifetime(owner) { owner.action?() }
      return 1
    }
    return functions
  }()
}
