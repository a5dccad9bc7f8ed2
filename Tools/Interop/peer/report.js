// What a page hears of the test that opened it, and what it tells it.
const page = new URLSearchParams(location.search).get("page");
let reports = Promise.resolve();

/** Posts an event; events arrive in the order they were reported. */
export function report(event, details = {}) {
  const body = JSON.stringify({ event, ...details });
  reports = reports.then(() => fetch(`/report?page=${page}`, { method: "POST", body }));
}

export const reportError = (error) => report("error", { message: String(error?.stack ?? error) });
window.addEventListener("unhandledrejection", (event) => reportError(event.reason));
window.addEventListener("error", (event) => reportError(event.message));

/** What the page is to do. */
export const job = async () => (await fetch(`/job?page=${page}`)).json();

/** What the test asks of a running page, as it comes. */
export async function* commands() {
  for (;;) {
    const response = await fetch(`/command?page=${page}`);
    if (response.status === 200) yield await response.json();
  }
}
