// XMPP over WebSocket (RFC 7395): sign-in with SASL PLAIN, resource binding, stanzas, entity capabilities.

export const ns = {
  client: "jabber:client",
  framing: "urn:ietf:params:xml:ns:xmpp-framing",
  sasl: "urn:ietf:params:xml:ns:xmpp-sasl",
  bind: "urn:ietf:params:xml:ns:xmpp-bind",
  stanzas: "urn:ietf:params:xml:ns:xmpp-stanzas",
  caps: "http://jabber.org/protocol/caps",
  discoInfo: "http://jabber.org/protocol/disco#info",
};

const factory = document.implementation.createDocument(null, null);

/** An element with attributes (undefined ones are left out) and children (elements, text, or undefined). */
export function element(namespace, name, attributes = {}, ...children) {
  const result = factory.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) result.setAttribute(key, value);
  }
  result.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return result;
}

/** The children of that name. */
export function children(parent, namespace, name) {
  return [...(parent?.children ?? [])].filter((child) => child.namespaceURI === namespace && child.localName === name);
}

/** The first child of that name, or undefined. */
export const child = (parent, namespace, name) => children(parent, namespace, name)[0];

/** A signed-in client. Set `onStanza`, which is called for one stanza at a time, and `onError`. */
export class Connection {
  onStanza = () => {};
  onError = () => {};
  #socket;
  #early = []; // what comes before the resource is bound
  #awaiting;
  #replies = new Map();
  #work = Promise.resolve();
  #lastID = 0;

  static async open({ websocket, account, password }) {
    const connection = new Connection();
    await connection.#signIn(websocket, account, password);
    return connection;
  }

  send(stanza) {
    this.#socket.send(new XMLSerializer().serializeToString(stanza));
  }

  /** Does something between two stanzas. */
  inTurn(work) {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }

  /** Sends a request; resolves to its result's payload, rejects with its error. */
  request(type, to, payload) {
    const id = `q${++this.#lastID}`;
    return new Promise((resolve, reject) => {
      this.#replies.set(id, { resolve, reject });
      this.send(element(ns.client, "iq", { type, to, id }, payload));
    });
  }

  reply(iq, payload) {
    this.send(element(ns.client, "iq", { type: "result", to: iq.getAttribute("from"), id: iq.id }, payload));
  }

  refuse(iq, condition, detail) {
    const error = element(ns.client, "error", { type: "cancel" }, element(ns.stanzas, condition), detail);
    this.send(element(ns.client, "iq", { type: "error", to: iq.getAttribute("from"), id: iq.id }, error));
  }

  async #signIn(websocket, account, password) {
    const [user, domain] = account.split("@");
    this.#socket = new WebSocket(websocket, "xmpp");
    this.#socket.onmessage = (message) => this.#receive(message.data);
    this.#socket.onclose = () => this.onError(new Error("the server closed the connection"));
    await new Promise((resolve, reject) => {
      this.#socket.onopen = resolve;
      this.#socket.onerror = () => reject(new Error(`no WebSocket at ${websocket}`));
    });
    const openStream = async () => {
      this.send(element(ns.framing, "open", { to: domain, version: "1.0" }));
      await this.#next("open");
      await this.#next("features");
    };
    await openStream();
    const credentials = btoa(`\0${user}\0${password}`);
    this.send(element(ns.sasl, "auth", { mechanism: "PLAIN" }, credentials));
    await this.#next("success");
    await openStream();
    const bind = element(ns.bind, "bind");
    this.send(element(ns.client, "iq", { type: "set", id: "bind" }, bind));
    const bound = child(await this.#next("iq"), ns.bind, "bind");
    this.jid = child(bound, ns.bind, "jid").textContent;
  }

  /** The next element of the negotiation, which must have this name. */
  async #next(name) {
    const received = this.#early.shift() ?? (await new Promise((resolve) => (this.#awaiting = resolve)));
    if (received.localName !== name) throw new Error(`expected <${name}>, got ${received.outerHTML}`);
    return received;
  }

  #receive(text) {
    const received = new DOMParser().parseFromString(text, "application/xml").documentElement;
    if (!this.jid) {
      if (!this.#awaiting) return this.#early.push(received);
      const resolve = this.#awaiting;
      this.#awaiting = undefined;
      return resolve(received);
    }
    const waiting = received.localName === "iq" && this.#replies.get(received.id);
    if (waiting && ["result", "error"].includes(received.getAttribute("type"))) {
      this.#replies.delete(received.id);
      if (received.getAttribute("type") === "result") waiting.resolve(received.firstElementChild);
      else waiting.reject(new Error(`refused: ${received.outerHTML}`));
    } else {
      this.#work = this.#work.then(() => this.onStanza(received)).catch((error) => this.onError(error));
    }
  }
}

/** What this client can do: answers disco#info (XEP-0030) and goes into presence (XEP-0115). */
export class Capabilities {
  static node = "https://carillon.invalid/interop";
  constructor(features) {
    this.features = [ns.discoInfo, ns.caps, ...features].sort();
  }

  info(node) {
    return element(ns.discoInfo, "query", { node },
      element(ns.discoInfo, "identity", { category: "client", type: "web", name: "peer" }),
      this.features.map((feature) => element(ns.discoInfo, "feature", { var: feature })));
  }

  async presence() {
    const text = ["client/web//peer", ...this.features].map((part) => `${part}<`).join("");
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
    const ver = btoa(String.fromCharCode(...new Uint8Array(digest)));
    const caps = element(ns.caps, "c", { hash: "sha-1", node: Capabilities.node, ver });
    return element(ns.client, "presence", {}, caps);
  }
}
