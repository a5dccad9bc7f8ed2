// Does the one job that /job tells, and posts what happens to /report.
import { Call } from "./call.js";
import { Connection } from "./xmpp.js";

const page = new URLSearchParams(location.search).get("page");
let reports = Promise.resolve();

/** Posts an event; events arrive in the order they were reported. */
function report(event, details = {}) {
  const body = JSON.stringify({ event, ...details });
  reports = reports.then(() => fetch(`/report?page=${page}`, { method: "POST", body }));
}

const reportError = (error) => report("error", { message: String(error?.stack ?? error) });
window.addEventListener("unhandledrejection", (event) => reportError(event.reason));
window.addEventListener("error", (event) => reportError(event.message));

const job = await (await fetch(`/job?page=${page}`)).json();
const connection = await Connection.open(job);
const call = new Call(connection, job, report);
connection.onError = reportError;
connection.onStanza = (stanza) => call.receive(stanza);
await call.announce();
report("online", { jid: connection.jid });
if (job.call) call.place(job.call);
