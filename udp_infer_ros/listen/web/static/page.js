// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// The page: updates of the listener to the cards of sources.

import {Card} from './card.js';
import {connect} from './connection.js';
import {Filter} from './filter.js';
import {Source} from './source.js';
import {clock, setText} from './text.js';

const REFRESH_MS = 500;

const cards = new Map();
const held = new Map();
const parts = Object.fromEntries(
  ['status', 'pause', 'sources', 'empty', 'replay', 'position', 'position-text'].map(
    (id) => [id, document.getElementById(id)]));
let isPaused = false;
let background = null;
let isMoving = false;

const filter = new Filter(() => {
  for (const card of cards.values()) {
    card.needsDrawing = true;
    card.refresh(!isPaused);
  }
});

const send = connect((update) => {
  if (!isPaused) return apply(update);
  if (update.kind === 'hello') held.clear(); // Another listener: what it sent first is outdated.
  held.set(`${update.kind} ${update.number ?? ''}`, update);
}, (isConnected) => {
  parts.status.className = isConnected ? 'connected' : 'lost';
  setText(parts.status, isConnected ? 'Connected' : 'Connection lost; connecting again …');
});

const handlers = {
  hello(update) {
    background = update.background;
    parts.replay.hidden = !update.replay;
    keepOnly([]);
  },
  sources(update) {
    keepOnly(update.numbers);
  },
  frame(update) {
    const card = cardOf(update.number);
    card.source.addFrame(update);
    for (const {label} of card.source.objects) filter.add(label);
    card.needsDrawing = true;
    if (!card.root.isConnected) {
      insert(card);
      card.draw();
      card.refresh(true);
    }
  },
  seconds(update) {
    cardOf(update.number).source.addSeconds(update);
  },
  replay(update) {
    parts.position.max = update.duration_s;
    if (!isMoving) parts.position.value = update.position_s;
    const text = `${clock(update.position_s)} of ${clock(update.duration_s)}`;
    setText(parts['position-text'], text);
    parts.position.setAttribute('aria-valuetext', text);
  },
};

function apply(update) {
  handlers[update.kind](update);
}

function cardOf(number) {
  if (!cards.has(number)) cards.set(number, new Card(new Source(number), background, filter));
  return cards.get(number);
}

/** Insert a card in the order in which the sources appeared. */
function insert(card) {
  const later = [...cards.values()].filter(
    (other) => other.root.isConnected && other.source.number > card.source.number);
  const next = later.sort((a, b) => a.source.number - b.source.number)[0];
  parts.sources.insertBefore(card.root, next ? next.root : null);
}

/** Remove the sources that the listener no longer has. */
function keepOnly(numbers) {
  for (const [number, card] of cards) {
    if (numbers.includes(number)) continue;
    card.root.remove();
    cards.delete(number);
  }
  parts.empty.hidden = numbers.length > 0;
}

function setPaused(value) {
  isPaused = value;
  parts.pause.setAttribute('aria-pressed', String(isPaused));
  setText(parts.pause, isPaused ? 'Continue' : 'Pause');
  if (isPaused) return;
  const updates = [...held.values()];
  held.clear();
  for (const update of updates) if (update.kind !== 'sources') apply(update);
  for (const update of updates) if (update.kind === 'sources') apply(update);
}

function drawAll() {
  for (const card of cards.values()) if (card.needsDrawing) card.draw();
  requestAnimationFrame(drawAll);
}

parts.pause.addEventListener('click', () => setPaused(!isPaused));
parts.position.addEventListener('input', () => {
  isMoving = true;
  setText(parts['position-text'], clock(parts.position.value));
});
parts.position.addEventListener('change', () => {
  isMoving = false;
  send({position_s: Number(parts.position.value)});
});
addEventListener('resize', () => {
  for (const card of cards.values()) card.needsDrawing = true;
});
setInterval(() => {
  for (const card of cards.values()) card.refresh(!isPaused);
}, REFRESH_MS);
requestAnimationFrame(drawAll);
