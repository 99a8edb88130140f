const ownConnection = { keepAlive: false, maxSockets: 50 };

/**
 * For services that take no idempotency key. The client never tries again by itself: whether another try may be made is
 * decided by who calls. Each call has a connection of its own: one that was kept may be closed by the server in the moment in
 * which it is used again, and then nobody knows whether the message was sent.
 */
export const sendOnce = {
  maxAttempts: 1,
  requestHandler: {
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    httpAgent: ownConnection,
    httpsAgent: ownConnection,
  },
};
