// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// The filter by class and score, and the colors of classes.

import {element, printable} from './text.js';

const COLORS = [
  '#5ec8f2', '#f7a44c', '#7fd77f', '#f28ab2', '#f2e15e', '#b49af5', '#ff8a73', '#4fd8c0',
  '#c9d36a', '#8fb4ff', '#e0a3e8', '#d8b48a'];
const MAX_CLASSES = 200;

const colors = new Map();

/** Return the color of a class: that of its hash, or the next one that no other class has. */
export function colorOf(label) {
  let color = colors.get(label);
  if (color !== undefined) return color;
  let hash = 2166136261;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 16777619);
  const first = (hash >>> 0) % COLORS.length;
  const inOrder = [...COLORS.slice(first), ...COLORS.slice(0, first)];
  const used = new Set(colors.values());
  color = inOrder.find((other) => !used.has(other)) ?? inOrder[0];
  if (colors.size < MAX_CLASSES) colors.set(label, color);
  return color;
}

/** Create a small square in the color of a class or a stage. */
export function swatch(color) {
  const square = element('span', {className: 'swatch'});
  square.style.background = color;
  return square;
}

/** Which objects are shown. */
export class Filter {
  /** @param onChange called when the user changes the filter. */
  constructor(onChange) {
    this.score = 0;
    this.hidden = new Set();
    this.known = new Set();
    this.onChange = onChange;
    this.list = document.getElementById('classes');
    const slider = document.getElementById('score');
    const show = () => {
      this.score = Number(slider.value);
      document.getElementById('score-text').textContent = this.score.toFixed(2);
      onChange();
    };
    slider.addEventListener('input', show);
    show();
  }

  /** Return whether an object is shown. */
  accepts(object) {
    return object.score >= this.score && !this.hidden.has(object.label);
  }

  /** Add a class to the list. */
  add(label) {
    if (this.known.has(label) || this.known.size >= MAX_CLASSES) return;
    this.known.add(label);
    const box = element('input', {type: 'checkbox', checked: true});
    box.addEventListener('change', () => {
      if (box.checked) this.hidden.delete(label);
      else this.hidden.add(label);
      this.onChange();
    });
    this.list.append(element(
      'label', {}, box, swatch(colorOf(label)),
      element('span', {className: 'name'}, printable(label))));
  }
}
