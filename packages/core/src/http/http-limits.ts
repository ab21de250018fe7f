/** Limits against clients that are slow, idle or many; times in milliseconds. */
export type HttpLimits = {
  /** Until the head of a request has arrived, counted from its first byte or the connection's begin. */
  headersTimeoutMs: number;
  /** Until the whole request has arrived. */
  requestTimeoutMs: number;
  /** Until there is an answer, once for access and limits and again for the handler; while the body arrives, neither. */
  handlerTimeoutMs: number;
  /**
   * Without a byte in either direction while a request is under way: ends clients that do not read their answer. Longer
   * than a request may take to arrive, so that one whose body stops is told so.
   */
  socketIdleTimeoutMs: number;
  /** Between two requests of a connection; longer than a proxy's own (60 s in nginx), so that the proxy closes first. */
  keepAliveTimeoutMs: number;
  /** How often the two first are looked at: what they really take is up to this much more. */
  checkEveryMs: number;
  /** Connections of this process; more are closed at once. */
  maxConnections: number;
};

export const defaultHttpLimits: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // A caller gets an answer even when a store hangs; receivers of webhooks have a shorter limit of their own.
  handlerTimeoutMs: 8_000,
  socketIdleTimeoutMs: 35_000,
  keepAliveTimeoutMs: 65_000,
  checkEveryMs: 1_000,
  maxConnections: 10_000,
};
