"""What tests ask any page of its looks, as scripts for `Window.run`: contrast, overflow, width."""

LEAST = 4.5
"""WCAG 2, 1.4.3."""
FAINT = """
const parts = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith('color(') ? 1 : 255;
    return [...found.slice(0, 3).map(one => one / scale), found[3] ?? 1];
};
const over = (top, below) => [0, 1, 2].map(at => top[at] * top[3] + below[at] * (1 - top[3]));
const ground = one => {
    if (!one) return [1, 1, 1];
    const own = parts(getComputedStyle(one).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(one.parentElement));
};
const light = colour => {
    const [red, green, blue] = colour.map(
        one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set(), found = [];
while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || seen.has(one) || one.tagName === 'title') continue;
    seen.add(one);
    if (!one.checkVisibility()) continue;
    const style = getComputedStyle(one), below = ground(one);
    const ink = over(parts(one instanceof SVGElement ? style.fill : style.color), below);
    const [low, high] = [light(ink), light(below)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < arguments[0]) found.push(`${ratio.toFixed(2)} ${one.textContent.slice(0, 60)}`);
}
return [seen.size, found]
"""
OVER = """const wide = document.documentElement.clientWidth;
    return [...document.querySelectorAll('body *')]
        .filter(one => one.checkVisibility() && !one.closest('.hidden, thead, .filters input'))
        .filter(one => arguments[0] || !one.parentElement.closest('.scroll'))
        .filter(one => one.getBoundingClientRect().right > wide + 1)
        .map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 60)}`)"""
SIDEWAYS = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
SQUEEZED = """return [...document.querySelectorAll('td, th, dd, li, p')]
    .filter(one => one.checkVisibility() && one.textContent.trim().length > 20)
    .filter(one => one.getBoundingClientRect().width < 60)
    .map(one => `${one.tagName} ${one.textContent.trim().slice(0, 60)}`)"""
