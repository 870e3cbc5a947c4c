// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// Plots of the last two minutes.

import {fit} from './canvas.js';

const WINDOW_S = 120;
const STAGE_COLORS = {
  wait: '#8b98a5', decode: '#3f9bd6', preprocess: '#2fa98c', inference: '#e08a2e',
  postprocess: '#c264b8', motion: '#7f7be0', track: '#c9485b'};
const OTHER_COLORS = ['#7a9a3a', '#b5763c', '#4a7fb0', '#a05a7d'];

/** Return the color of a stage of the latency. */
export function stageColor(stage, index) {
  return Object.hasOwn(STAGE_COLORS, stage) ? STAGE_COLORS[stage]
    : OTHER_COLORS[index % OTHER_COLORS.length];
}

/** Return a round number that is at least a value. */
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

/**
 * Draw values as bars, one for each second, stacked.
 *
 * @param canvas in which the plot is drawn.
 * @param agoS of each bar, how many seconds ago it was.
 * @param layers list of {color, values}, from the bottom to the top.
 */
export function drawBars(canvas, agoS, layers) {
  const ratio = fit(canvas, canvas.clientHeight / Math.max(1, canvas.clientWidth));
  const context = canvas.getContext('2d');
  const style = getComputedStyle(canvas);
  const [width, height] = [canvas.width, canvas.height];
  const left = 30 * ratio;
  const sums = agoS.map((_, i) => layers.reduce((sum, {values}) => sum + (values[i] ?? 0), 0));
  const top = roundUp(Math.max(0, ...sums));
  context.clearRect(0, 0, width, height);
  const bar = (width - left) / WINDOW_S;
  const unit = (height - 12 * ratio) / top;
  const base = agoS.map(() => height - ratio);
  for (const {color, values} of layers) {
    context.fillStyle = color;
    agoS.forEach((ago, i) => {
      const size = (values[i] ?? 0) * unit;
      base[i] -= size;
      const start = Math.round(width - ago * bar);
      context.fillRect(start, base[i], Math.round(width - (ago - 1) * bar) - start, size);
    });
  }
  drawAxis(context, style, top, {width, height, left, ratio});
}

function drawAxis(context, style, top, {width, height, left, ratio}) {
  context.strokeStyle = style.getPropertyValue('--line');
  context.lineWidth = ratio;
  context.strokeRect(left, height - ratio / 2, width - left, 0);
  context.fillStyle = style.getPropertyValue('--muted');
  context.font = `${11 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
  context.textAlign = 'right';
  context.textBaseline = 'top';
  context.fillText(String(top), left - 5 * ratio, 0);
  context.textBaseline = 'bottom';
  context.fillText('0', left - 5 * ratio, height);
}
