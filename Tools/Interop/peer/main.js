// Does the one job that /job tells, and posts what happens to /report.
import { Call } from "./call.js";
import { commands, job as readJob, report, reportError } from "./report.js";
import { Connection } from "./xmpp.js";

const job = await readJob();
const connection = await Connection.open(job);
const call = new Call(connection, job, report);
connection.onError = reportError;
connection.onStanza = (stanza) => call.receive(stanza);
await call.announce();
report("online", { jid: connection.jid });
if (job.call) call.place(job.call);
for await (const command of commands()) await call.do(command).catch(reportError);
