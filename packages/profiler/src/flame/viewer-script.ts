/**
 * The script of a flame graph page, as text: it runs in the browser, not here. It draws on a canvas no larger than the window (browsers draw nothing on one
 * of more than 32 767 pixels), and only the frames in sight that are at least half a pixel wide.
 */
export const VIEWER_SCRIPT: string = /* js */ `(function () {
'use strict';
var data = JSON.parse(document.getElementById('data').textContent);
var get = function (id) { return document.getElementById(id); };
var scroller = get('scroller'), sheet = get('sheet'), canvas = get('canvas'), tip = get('tip');
var search = get('search'), found = get('found'), reset = get('reset');
var pen = canvas.getContext('2d');
var ROW = 19, FONT = '12px ui-monospace, Menlo, Consolas, monospace';
var F = 0, DEPTH = 1, LEFT = 2, WIDTH = 3, SELF = 4, BEFORE = 5, SIZE = 6;
var rects = data.rects, frames = data.frames;
var rows = [], view = { left: 0, width: data.total, depth: 0 }, matches = null, hover = -1, charWidth = 7, queued = false;
for (var i = 0; i < rects.length; i += SIZE) (rows[rects[i + DEPTH]] = rows[rects[i + DEPTH]] || []).push(i);
sheet.style.height = rows.length * ROW + 'px';

function formatTime(us) {
  return us >= 1e6 ? (us / 1e6).toFixed(2) + ' s' : us >= 1e3 ? (us / 1e3).toFixed(2) + ' ms' : us + ' us';
}
function percent(part) { return (data.total ? part / data.total * 100 : 0).toFixed(2) + ' %'; }

var HUES = { app: 28, dependency: 48, node: 140, native: 205, program: 230, gc: 300, root: 0, idle: 0 };
function colour(at) {
  var frame = frames[rects[at + F]], dark = matchMedia('(prefers-color-scheme: dark)').matches;
  if (data.diff) {
    var delta = rects[at + WIDTH] - rects[at + BEFORE];
    var strength = Math.min(1, Math.abs(delta) / (data.total || 1) * 4);
    if (Math.abs(delta) * 1000 < data.total) return dark ? '#454a51' : '#e3e6ea';
    var light = dark ? 30 + strength * 18 : 90 - strength * 28;
    return 'hsl(' + (delta > 0 ? 4 : 212) + ' ' + (45 + strength * 40) + '% ' + light + '%)';
  }
  if (frame[2] === 'root') return dark ? '#454a51' : '#e3e6ea';
  var hash = 0;
  for (var i = 0; i < frame[0].length; i++) hash = (hash * 31 + frame[0].charCodeAt(i)) | 0;
  var spread = Math.abs(hash) % 100 / 100;
  return 'hsl(' + (HUES[frame[2]] + spread * 14 - 7) + ' 72% ' + (dark ? 32 + spread * 10 : 68 + spread * 12) + '%)';
}

/** Position in a row of the first frame that ends right of x. */
function firstAfter(row, x) {
  var low = 0, high = row.length;
  while (low < high) {
    var middle = (low + high) >> 1;
    if (rects[row[middle] + LEFT] + rects[row[middle] + WIDTH] > x) high = middle; else low = middle + 1;
  }
  return low;
}

function draw() {
  queued = false;
  var ratio = window.devicePixelRatio || 1, width = scroller.clientWidth, height = Math.min(scroller.clientHeight, rows.length * ROW);
  canvas.style.height = height + 'px';
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = FONT;
  pen.textBaseline = 'middle';
  charWidth = pen.measureText('mmmmmmmmmm').width / 10;
  var style = getComputedStyle(document.body), scale = width / (view.width || 1), top = scroller.scrollTop;
  var last = Math.min(rows.length - 1, Math.floor((top + height) / ROW));
  for (var depth = Math.floor(top / ROW); depth <= last; depth++) {
    var row = rows[depth], y = depth * ROW - top;
    for (var i = firstAfter(row, view.left); i < row.length && rects[row[i] + LEFT] < view.left + view.width; i++) {
      drawFrame(row[i], y, { scale: scale, width: width, text: style.color });
    }
  }
}

function drawFrame(at, y, to) {
  var x = Math.max(0, (rects[at + LEFT] - view.left) * to.scale);
  var w = Math.min(to.width, (rects[at + LEFT] + rects[at + WIDTH] - view.left) * to.scale) - x;
  if (w < 0.5) return;
  var faint = rects[at + DEPTH] < view.depth || (matches && !matches[rects[at + F]]);
  pen.globalAlpha = faint ? 0.35 : 1;
  pen.fillStyle = colour(at);
  pen.fillRect(x, y, w > 2 ? w - 1 : w, ROW - 1);
  if (at === hover) { pen.strokeStyle = to.text; pen.strokeRect(x + 0.5, y + 0.5, Math.max(0, w - 2), ROW - 2); }
  pen.globalAlpha = faint ? 0.6 : 1;
  var fits = Math.floor((w - 8) / charWidth);
  if (fits < 3) return;
  var name = frames[rects[at + F]][0];
  pen.fillStyle = to.text;
  pen.fillText(name.length > fits ? name.slice(0, fits - 1) + '\\u2026' : name, x + 4, y + ROW / 2);
  pen.globalAlpha = 1;
}
function redraw() { if (!queued) { queued = true; requestAnimationFrame(draw); } }

function frameAt(event) {
  var box = canvas.getBoundingClientRect();
  var row = rows[Math.floor((event.clientY - box.top + scroller.scrollTop) / ROW)];
  if (!row) return -1;
  var x = view.left + (event.clientX - box.left) / box.width * view.width, i = firstAfter(row, x);
  return i < row.length && rects[row[i] + LEFT] <= x ? row[i] : -1;
}

function show(event) {
  var at = frameAt(event);
  if (at !== hover) { hover = at; redraw(); }
  tip.hidden = at < 0;
  if (at < 0) return;
  var frame = frames[rects[at + F]], name = document.createElement('b');
  name.textContent = frame[0];
  var text = '\\n' + (frame[1] ? frame[1] + '\\n' : '') + 'total ' + formatTime(rects[at + WIDTH]) + ' (' + percent(rects[at + WIDTH]) +
    '), self ' + formatTime(rects[at + SELF]) + ' (' + percent(rects[at + SELF]) + ')';
  if (data.diff) text += '\\nbefore ' + percent(rects[at + BEFORE]) + ', after ' + percent(rects[at + WIDTH]);
  tip.replaceChildren(name, text);
  var right = event.clientX + 14 + tip.offsetWidth > innerWidth, low = event.clientY + 18 + tip.offsetHeight > innerHeight;
  tip.style.left = Math.max(4, right ? event.clientX - 10 - tip.offsetWidth : event.clientX + 14) + 'px';
  tip.style.top = Math.max(4, low ? event.clientY - 10 - tip.offsetHeight : event.clientY + 18) + 'px';
}

function zoom(at) {
  view = at < 0 ? { left: 0, width: data.total, depth: 0 } : { left: rects[at + LEFT], width: rects[at + WIDTH], depth: rects[at + DEPTH] };
  reset.disabled = view.depth === 0;
  redraw();
}

function find() {
  var text = search.value.trim().toLowerCase();
  matches = text ? frames.map(function (frame) { return (frame[0] + ' ' + frame[1]).toLowerCase().indexOf(text) >= 0; }) : null;
  var sum = 0, end = 0;
  if (matches) for (var i = 0; i < rects.length; i += SIZE) {
    // Parents come first: a match inside a match begins before the end of the outer one.
    if (matches[rects[i + F]] && rects[i + LEFT] >= end) { sum += rects[i + WIDTH]; end = rects[i + LEFT] + rects[i + WIDTH]; }
  }
  found.textContent = matches ? percent(sum) + ' matched' : '';
  redraw();
}

canvas.addEventListener('mousemove', show);
canvas.addEventListener('mouseleave', function () { hover = -1; tip.hidden = true; redraw(); });
canvas.addEventListener('click', function (event) { var at = frameAt(event); if (at >= 0) zoom(at); });
scroller.addEventListener('scroll', function () { tip.hidden = true; redraw(); });
search.addEventListener('input', find);
reset.addEventListener('click', function () { zoom(-1); });
addEventListener('resize', redraw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
addEventListener('keydown', function (event) {
  if (event.key === 'Escape') { search.value = ''; search.blur(); find(); zoom(-1); }
  if (event.key === '/' && document.activeElement !== search) { event.preventDefault(); search.focus(); }
});
zoom(-1);
})();`;
