// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// The WebSocket to the listener, which is opened again when it is lost.

const RETRY_MS = 1000;

/**
 * Receive updates.
 *
 * @param onUpdate called with each update of the listener.
 * @param onStatus called with true when the connection is open and false when it is lost.
 * @returns a function that sends a value to the listener.
 */
export function connect(onUpdate, onStatus) {
  let socket;
  function open() {
    socket = new WebSocket(new URL('updates', location.href.replace(/^http/, 'ws')));
    socket.onopen = () => onStatus(true);
    socket.onmessage = (event) => onUpdate(JSON.parse(event.data));
    socket.onclose = () => {
      onStatus(false);
      setTimeout(open, RETRY_MS);
    };
  }
  open();
  return (value) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(value));
  };
}
