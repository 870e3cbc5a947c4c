// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// The card of a source: its picture, figures, plots and last datagram.

import {drawSource} from './canvas.js';
import {colorOf, swatch} from './filter.js';
import {drawBars, stageColor} from './plots.js';
import {duration, element, formatted, printable, setText} from './text.js';

const SILENT_S = 2;
const SHOWN_CLASSES = 30;
const ACCENT = '#3f9bd6';
const LOST = '#c9485b';

/** The elements that show one source. */
export class Card {
  /**
   * @param source the Source that is shown.
   * @param background URL of a picture behind the boxes, or null.
   * @param filter what is shown.
   */
  constructor(source, background, filter) {
    this.source = source;
    this.filter = filter;
    this.needsDrawing = true;
    this.title = element('h2');
    this.address = element('span', {className: 'address'});
    this.state = element('span', {className: 'state'});
    this.canvas = element('canvas', {role: 'img', className: 'picture'});
    this.stage = element('div', {className: 'stage'}, this.canvas);
    this.counts = element('ul', {className: 'counts'});
    this.counts.setAttribute('aria-label', 'Objects by class');
    this.actions = element('div', {className: 'actions'},
      this.#button('Save picture', () => this.#savePicture()));
    this.figures = Object.fromEntries(
      ['Objects', 'Rate', 'Latency', 'Frames', 'Lost'].map((name) => [name, element('dd')]));
    this.plots = Object.fromEntries(
      ['Rate', 'Latency', 'Lost'].map((name) => [name, this.#plot(name)]));
    this.root = element('article', {className: 'source'},
      element('div', {className: 'head'}, this.title, this.address, this.state),
      this.stage,
      element('dl', {className: 'figures'}, ...Object.entries(this.figures).map(
        ([name, value]) => element('div', {}, element('dt', {}, name), value))),
      this.counts,
      element('div', {className: 'plots'}, ...Object.values(this.plots).map(({root}) => root)),
      this.actions, this.#datagramPanel());
    if (background !== null) this.#addBackground(background);
  }

  /** Draw the last frame. */
  draw() {
    const {frame} = this.source;
    if (!frame) return;
    this.needsDrawing = false;
    setText(this.title, printable(frame.source || frame.sender));
    setText(this.address, printable(frame.sender));
    drawSource(this.canvas, this.source, this.filter);
    if (this.picture) this.picture.style.maxWidth = this.canvas.style.maxWidth;
    this.canvas.dataset.frame = frame.frame_id;
    this.showState();
  }

  /** Update what a reader follows less often than the picture: texts, counts and plots. */
  refresh(showsAge) {
    const {source} = this;
    if (!source.frame) return;
    const counts = source.counts(this.filter);
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    const names = counts.map(([label, count]) => `${count} ${printable(label)}`).join(', ');
    this.canvas.setAttribute('aria-label',
      `${this.title.textContent}: ${names || 'no object'}`);
    this.counts.replaceChildren(...counts.slice(0, SHOWN_CLASSES).map(([label, count]) => element(
      'li', {}, swatch(colorOf(label)), element('span', {className: 'name'}, printable(label)),
      element('b', {}, String(count)))));
    setText(this.figures.Objects, String(total));
    const rate = source.ageS > SILENT_S ? 0 : source.frame.rate_hz;
    setText(this.figures.Rate, `${rate.toFixed(1)} Hz`);
    const latency = source.frame.latency_ms;
    setText(this.figures.Latency, latency === null ? 'unknown' : `${latency.toFixed(1)} ms`);
    setText(this.figures.Frames, String(source.frame.frames));
    const {incomplete, lost} = source.frame;
    setText(this.figures.Lost, incomplete ? `${lost}, ${incomplete} incomplete` : String(lost));
    this.#drawPlots();
    if (showsAge) {
      this.showState();
      if (this.details.open) this.#loadDatagram();
    }
  }

  /** Show whether frames arrive. */
  showState() {
    const isSilent = this.source.ageS > SILENT_S;
    this.root.classList.toggle('silent', isSilent);
    setText(this.state, isSilent ? `silent for ${duration(this.source.ageS)}` : 'live');
  }

  #button(name, action) {
    const button = element('button', {type: 'button'}, name);
    button.addEventListener('click', action);
    return button;
  }

  #plot(name) {
    const canvas = element('canvas', {role: 'img'});
    const value = element('b');
    const legend = element('div', {className: 'legend'});
    const root = element('figure', {},
      element('figcaption', {}, element('span', {}, name), value), canvas, legend);
    return {root, canvas, value, legend, name};
  }

  #drawPlots() {
    const {seconds} = this.source;
    if (!seconds) return;
    this.#drawPlot(this.plots.Rate, [{color: ACCENT, values: seconds.frames}], 'Hz');
    this.#drawPlot(this.plots.Lost, [{color: LOST, values: seconds.lost}], 'frames/s');
    const stages = Object.keys(seconds.latency_ms);
    const parts = stages.length > 1 ? stages.filter((stage) => stage !== 'total') : stages;
    const layers = parts.map((stage, index) => (
      {stage, color: stageColor(stage, index), values: seconds.latency_ms[stage]}));
    this.#drawPlot(this.plots.Latency, layers, 'ms');
    const key = parts.join('\n');
    const {legend} = this.plots.Latency;
    if (legend.dataset.stages === key) return;
    legend.dataset.stages = key;
    legend.replaceChildren(...layers.map(({stage, color}) => element(
      'span', {}, swatch(color), printable(stage))));
  }

  #drawPlot({canvas, value, name}, layers, unit) {
    const {ago_s: agoS} = this.source.seconds;
    drawBars(canvas, agoS, layers);
    const sums = agoS.map((_, i) => layers.reduce((sum, {values}) => sum + (values[i] ?? 0), 0));
    const last = agoS.at(-1) <= 2 ? sums.at(-1) : 0;
    const digits = unit === 'ms' ? 1 : 0;
    setText(value, `${last.toFixed(digits)} ${unit}`);
    canvas.setAttribute('aria-label',
      `${name} in the last two minutes: ${last.toFixed(digits)} ${unit} now, at most ` +
      `${Math.max(0, ...sums).toFixed(digits)} ${unit}`);
  }

  #addBackground(url) {
    const picture = this.picture = element('img', {alt: '', referrerPolicy: 'no-referrer', src: url});
    this.stage.prepend(picture);
    const toggle = this.#button('Background', () => {
      picture.hidden = !picture.hidden;
      toggle.setAttribute('aria-pressed', String(!picture.hidden));
    });
    toggle.setAttribute('aria-pressed', 'true');
    this.actions.append(toggle);
  }

  #datagramPanel() {
    this.text = element('pre', {tabIndex: 0});
    this.text.setAttribute('aria-label', 'Last datagram');
    this.copied = element('span', {role: 'status'});
    const copy = this.#button('Copy', () => this.#copy());
    this.details = element('details', {}, element('summary', {}, 'Last datagram'),
      element('div', {className: 'copy'}, copy, ' ', this.copied), this.text);
    this.details.addEventListener('toggle', () => {
      if (this.details.open && !this.text.textContent) this.#loadDatagram();
    });
    return this.details;
  }

  async #loadDatagram() {
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      const answer = await fetch(`datagram/${this.source.number}`);
      if (answer.ok) setText(this.text, formatted(await answer.json()));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // The listener has ended.
    } finally {
      this.isLoading = false;
    }
  }

  async #copy() {
    // Browsers have the clipboard on 127.0.0.1 and with HTTPS only; elsewhere, copy the selection.
    getSelection().selectAllChildren(this.text);
    const isCopied = navigator.clipboard
      ? await navigator.clipboard.writeText(this.text.textContent).then(() => true, () => false)
      : document.execCommand('copy');
    setText(this.copied, isCopied ? 'Copied' : 'Press Ctrl+C to copy');
    setTimeout(() => setText(this.copied, ''), 3000);
  }

  #savePicture() {
    const {canvas} = this;
    const picture = element('canvas', {width: canvas.width, height: canvas.height});
    const context = picture.getContext('2d');
    context.fillStyle = '#10161d';
    context.fillRect(0, 0, picture.width, picture.height);
    context.drawImage(canvas, 0, 0);
    picture.toBlob((blob) => {
      const link = element('a', {
        href: URL.createObjectURL(blob), download: `udp_infer_${this.source.frame.frame_id}.png`});
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, 'image/png');
  }
}
