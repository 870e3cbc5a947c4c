// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// The state of one source: its last frame, its trails and its plots.

export const TRAIL_MS = 2500;
const MAX_TRAIL_POINTS = 40;
const MIN_STEP_PX = 1;
const MAX_TRAILS = 4000;

/** A source of detections, with the numbers that the listener sent. */
export class Source {
  constructor(number) {
    this.number = number;
    this.frame = null;
    this.objects = [];
    this.seconds = null;
    this.trails = new Map();
    this.silentS = 0;
    this.updatedMs = performance.now();
    this.width = 0;
    this.height = 0;
  }

  /** Return how long no frame has arrived, seconds. */
  get ageS() {
    return this.silentS + (performance.now() - this.updatedMs) / 1000;
  }

  /** Take over a frame. */
  addFrame(frame) {
    this.frame = frame;
    this.silentS = 0;
    this.updatedMs = performance.now();
    this.objects = frame.objects.map(
      ([label, score, x, y, width, height, id]) => ({label, score, x, y, width, height, id}));
    this.#setSize(frame);
    this.#addToTrails(frame.time_s * 1000);
  }

  /** Take over the plots. */
  addSeconds(seconds) {
    this.seconds = seconds;
    this.silentS = seconds.silent_s;
    this.updatedMs = performance.now();
  }

  /** Count objects by class, the most frequent first. */
  counts(filter) {
    const counts = new Map();
    for (const {label} of this.objects.filter((object) => filter.accepts(object))) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }

  #setSize(frame) {
    if (frame.size) {
      [this.width, this.height] = frame.size;
      return;
    }
    // UDPSink does not send the size: take what the boxes reach.
    for (const box of this.objects) {
      this.width = Math.min(65535, Math.max(this.width, Math.ceil(box.x + box.width / 2)));
      this.height = Math.min(65535, Math.max(this.height, Math.ceil(box.y + box.height / 2)));
    }
  }

  #addToTrails(nowMs) {
    for (const {id, label, x, y} of this.objects) {
      if (id === null) continue;
      let trail = this.trails.get(id);
      if (!trail) this.trails.set(id, trail = {label, points: []});
      trail.label = label;
      const last = trail.points[trail.points.length - 1];
      trail.ms = nowMs;
      if (last && Math.hypot(x - last.x, y - last.y) < MIN_STEP_PX) continue;
      trail.points.push({x, y, ms: nowMs});
      if (trail.points.length > MAX_TRAIL_POINTS) trail.points.shift();
    }
    for (const [id, trail] of this.trails) {
      const ageMs = nowMs - trail.ms;
      if (ageMs > TRAIL_MS || ageMs < 0 || this.trails.size > MAX_TRAILS) this.trails.delete(id);
    }
  }
}
