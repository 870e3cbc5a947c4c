// SPDX-FileCopyrightText: 2026 udp_infer_ros developers
// SPDX-License-Identifier: Apache-2.0

// Text of datagrams is never HTML: it becomes the text of an element.

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}]/gu;

/** Replace characters that are invisible or change the direction of writing. */
export function printable(text) {
  return String(text).replace(UNPRINTABLE, '\uFFFD');
}

/** Format a value as JSON with two spaces; unprintable characters are escaped. */
export function formatted(value) {
  return JSON.stringify(value, null, 2).replace(UNPRINTABLE, (character) => {
    if (character === '\n') return character;
    return Array.from({length: character.length}, (_, i) =>
      `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
  });
}

/** Create an element with properties and children; a child may be a text. */
export function element(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in created) created[name] = value;
    else created.setAttribute(name, value);
  }
  created.append(...children);
  return created;
}

/** Set a text, unless the element has it already. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Format a duration in seconds, such as 8 s or 2:05. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  return clock(whole);
}

/** Format a time as minutes and seconds. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
