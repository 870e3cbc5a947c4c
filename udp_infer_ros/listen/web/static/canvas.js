// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// The picture of a source: boxes, names, scores, ids and trails.

import {colorOf} from './filter.js';
import {TRAIL_MS} from './source.js';
import {printable} from './text.js';

const FONT_PX = 12;
const TRAIL_ALPHAS = [0.12, 0.3, 0.5, 0.8];
const MAX_LABELS = 200; // More would hide the boxes, and take most of the time.
const MAX_NAME = 40;
const MAX_CACHED = 5000;
const names = new Map();

/** Return the label of an object as it is drawn, from a cache. */
function nameOf(label) {
  let name = names.get(label);
  if (name === undefined) {
    if (names.size > MAX_CACHED) names.clear();
    names.set(label, name = printable(label.slice(0, MAX_NAME)));
  }
  return name;
}

/** Fit the resolution of a canvas to the screen; return the pixels of the screen per pixel. */
export function fit(canvas, aspect) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(width * aspect));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return ratio;
}

/**
 * Draw a source.
 *
 * @param canvas whose style gives its width; its height follows the picture.
 * @param source a Source with a frame.
 * @param filter what is shown.
 */
export function drawSource(canvas, source, filter) {
  const aspect = Math.min(4, Math.max(0.1, source.height / source.width || 0.75));
  canvas.style.maxWidth = `${(70 / aspect).toFixed(2)}vh`; // Plots of one source stay in view.
  const ratio = fit(canvas, aspect);
  const scale = {x: canvas.width / (source.width || 1), y: canvas.height / (source.height || 1)};
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, canvas.width, canvas.height);
  const shown = source.objects.filter((object) => filter.accepts(object));
  const byLabel = grouped(shown);
  drawTrails(context, source, filter, scale, ratio, shown);
  context.lineWidth = 2 * ratio;
  context.lineJoin = 'miter';
  for (const [label, objects] of byLabel) {
    context.strokeStyle = colorOf(label);
    context.beginPath();
    for (const {x, y, width, height} of objects) {
      context.rect(
        (x - width / 2) * scale.x, (y - height / 2) * scale.y, width * scale.x, height * scale.y);
    }
    context.stroke();
  }
  const named = shown.length <= MAX_LABELS ? byLabel
    : grouped([...shown].sort((a, b) => b.score - a.score).slice(0, MAX_LABELS));
  drawLabels(context, named, scale, ratio);
}

function grouped(objects) {
  const groups = new Map();
  for (const object of objects) {
    if (!groups.has(object.label)) groups.set(object.label, []);
    groups.get(object.label).push(object);
  }
  return groups;
}

function drawTrails(context, source, filter, scale, ratio, shown) {
  const visible = new Set(shown.map(({id}) => id));
  const nowMs = source.frame.time_s * 1000;
  const paths = new Map();
  for (const [id, {label, points}] of source.trails) {
    if (filter.hidden.has(label) || filter.score > 0 && !visible.has(id)) continue;
    for (let i = 1; i < points.length; i++) {
      const age = (nowMs - points[i].ms) / TRAIL_MS;
      if (age > 1) continue;
      const level = Math.max(0, Math.ceil((1 - age) * TRAIL_ALPHAS.length) - 1);
      const key = `${level} ${colorOf(label)}`;
      let path = paths.get(key);
      if (!path) paths.set(key, path = new Path2D());
      path.moveTo(points[i - 1].x * scale.x, points[i - 1].y * scale.y);
      path.lineTo(points[i].x * scale.x, points[i].y * scale.y);
    }
  }
  context.lineWidth = 1.5 * ratio;
  for (const [key, path] of paths) {
    const [level, color] = key.split(' ');
    context.globalAlpha = TRAIL_ALPHAS[level];
    context.strokeStyle = color;
    context.stroke(path);
  }
  context.globalAlpha = 1;
}

/** Draw names, ids and scores on the color of the class, above each box that has the space. */
function drawLabels(context, byLabel, scale, ratio) {
  const height = (FONT_PX + 4) * ratio;
  context.font = `600 ${FONT_PX * ratio}px system-ui, "DejaVu Sans", sans-serif`;
  context.textBaseline = 'middle';
  for (const [label, objects] of byLabel) {
    const placed = objects.map((object) => {
      const id = object.id === null ? '' : ` #${object.id}`;
      const text = `${nameOf(label)}${id} ${object.score.toFixed(2)}`;
      const top = (object.y - object.height / 2) * scale.y;
      return {
        text, x: (object.x - object.width / 2) * scale.x - ratio,
        y: top >= height ? top - height : top, width: context.measureText(text).width + 8 * ratio};
    });
    context.fillStyle = colorOf(label);
    for (const {x, y, width} of placed) context.fillRect(x, y, width, height);
    context.fillStyle = '#0c1218';
    for (const {text, x, y} of placed) context.fillText(text, x + 4 * ratio, y + height / 2);
  }
}
