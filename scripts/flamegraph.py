"""Flame graphs: folded stacks (frames from the outermost on, separated by ';', and a count) as a picture, SVG that needs
nothing else.

Each box is a frame of a call chain. It stands on its caller, and is as wide as the part of the samples that it was on the
stack in; so the wide boxes at the top are where the time goes. The order from left to right is the alphabet's. Colours tell who
it is: a program, the kernel, a module, what waits. In a browser a click enlarges a frame, and hovering shows its numbers.
"""
import hashlib
import html

WIDTH, MARGIN, ROW, FONT = 1200, 10, 17, 12
CHARACTER = 0.6 * FONT  # the width of one, about
TOP = 58  # title, subtitle, legend
LEAST = 0.1  # pixels: boxes that are narrower are left out
# Hue, saturation, lightness by kind; a frame's name shifts the lightness, so that neighbours differ.
COLOURS = {
    "program": (205, 60, 70),
    "kernel": (28, 85, 66),
    "module": (130, 42, 66),
    "idle": (0, 0, 80),
}


class Frame:
    """A frame with the same callers below it, in all stacks: how often it was there, and what it called."""

    def __init__(self, name):
        self.name = name
        self.count = 0
        self.callees = {}

    def add(self, names, count):
        self.count += count
        if names:
            self.callees.setdefault(names[0], Frame(names[0])).add(names[1:], count)

    def depth(self):
        return 1 + max((callee.depth() for callee in self.callees.values()), default=0)


def kind(name, root):
    if root == "idle":
        return "idle"
    if not name.endswith("_[k]"):
        return "program"
    return "module" if name.endswith("]_[k]") else "kernel"


def colour(name, root):
    hue, saturation, lightness = COLOURS[kind(name, root)]
    shift = hashlib.md5(name.encode()).digest()[0] % 17 - 8
    return f"hsl({hue},{saturation}%,{lightness + shift}%)"


def box(frame, root, x, width, y, total):
    name = frame.name.removesuffix("_[k]")
    room = int((width - 6) / CHARACTER)
    label = "" if room < 3 else name if len(name) <= room else name[:room - 2] + ".."
    hover = f"{name}: {frame.count} samples, {100 * frame.count / total:.2f} %"
    return (f'<g class="frame" data-x="{x / WIDTH:.6f}" data-w="{width / WIDTH:.6f}" data-name="{html.escape(name)}">'
            f"<title>{html.escape(hover)}</title>"
            f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 1}" rx="2" fill="{colour(frame.name, root)}"/>'
            f'<text x="{x + 3:.2f}" y="{y + FONT}">{html.escape(label)}</text></g>')


def boxes(frame, root, x, scale, y, total):
    """The box of a frame and those of all that stands on it."""
    yield box(frame, root, x, frame.count * scale, y, total)
    for _, callee in sorted(frame.callees.items()):
        if callee.count * scale >= LEAST:
            yield from boxes(callee, root or callee.name, x, scale, y - ROW, total)
        x += callee.count * scale


def legend():
    for i, (name, (hue, saturation, lightness)) in enumerate(COLOURS.items()):
        x = MARGIN + 90 * i
        yield (f'<rect x="{x}" y="{TOP - 15}" width="12" height="12" rx="2" fill="hsl({hue},{saturation}%,{lightness}%)"/>'
               f'<text x="{x + 17}" y="{TOP - 5}">{name}</text>')


# Enlarges the frame that was clicked to the whole width: what is below it too, what is beside it goes.
SCRIPT = """
const width = %d, margin = %d, character = %s;
const frames = [...document.querySelectorAll('.frame')].map(element => ({
	element, x: +element.dataset.x * width - margin, w: +element.dataset.w * width, name: element.dataset.name,
	rect: element.querySelector('rect'), text: element.querySelector('text')}));
const room = width - 2 * margin;
function show(chosen) {
	const scale = room / chosen.w;
	for (const frame of frames) {
		const from = Math.max(0, (frame.x - chosen.x) * scale), to = Math.min(room, (frame.x + frame.w - chosen.x) * scale);
		frame.element.style.display = to - from < 0.1 ? 'none' : '';
		frame.rect.setAttribute('x', margin + from);
		frame.rect.setAttribute('width', Math.max(0, to - from));
		frame.text.setAttribute('x', margin + from + 3);
		const fits = Math.floor((to - from - 6) / character);
		frame.text.textContent = fits < 3 ? '' : frame.name.length <= fits ? frame.name : frame.name.slice(0, fits - 2) + '..';
	}
}
for (const frame of frames)
	frame.element.addEventListener('click', () => show(frame));
""" % (WIDTH, MARGIN, CHARACTER)


def draw(stacks, title, subtitle):
    """The picture, as text. `stacks`: folded stack -> count."""
    root = Frame("all")
    for stack, count in stacks.items():
        root.add(stack.split(";"), count)
    total = max(root.count, 1)
    height = TOP + ROW * root.depth() + MARGIN
    parts = boxes(root, "", MARGIN, (WIDTH - 2 * MARGIN) / total, height - MARGIN - ROW, total)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>text {{ font: {FONT}px monospace; pointer-events: none }} .frame {{ cursor: pointer }}"
        " .frame:hover rect { stroke: #000 }</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="18" style="font-size: 15px; font-weight: bold">{html.escape(title)}</text>',
        f'<text x="{MARGIN}" y="35">{html.escape(subtitle)}</text>',
        *legend(),
        *parts,
        f"<script><![CDATA[{SCRIPT}]]></script>",
        "</svg>\n",
    ])
