#!/usr/bin/env python3
"""The plot of bench/README.md: wall time and rows per CPU second of exports, ours and others', one panel a data set.

Bars begin at 0. Copying, which decodes nothing, is cut off where it would make the other bars short; its label has the figure.

usage: plot.py RESULTS.json OUT.svg
"""
import json, sys
import matplotlib
matplotlib.use('svg')
matplotlib.rcParams.update({'svg.hashsalt': 'snapexport', 'font.size': 8, 'svg.fonttype': 'none'})
import matplotlib.pyplot as plt

OURS, COPY, OTHERS = '#1b7837', '#9e9e9e', '#b35806'


def color(name):
    return OURS if name.startswith('snapexport') else COPY if name.startswith('cp ') else OTHERS


def main():
    results = json.load(open(sys.argv[1]))
    panels = [s for s in results['sections'] if s['rows'] and s['id'].startswith(('export', 'live'))] or [s for s in results['sections'] if s['rows']]
    heights = [len(s['rows']) + 2 for s in panels]
    fig, axes = plt.subplots(len(panels), 2, figsize=(11, 0.19 * sum(heights) + 0.6), height_ratios=heights, squeeze=False, layout='constrained')
    for (left, right), s in zip(axes, panels):
        rows = s['rows'][::-1]
        for ax, key, label in ((left, 'wall_s', 'wall time, s (less is better)'), (right, 'rows_per_cpu_s', 'rows per CPU second, thousands (more is better)')):
            values = [r[key][0] if key == 'wall_s' else r.get(key, 0) / 1000 for r in rows]
            ax.barh([r['name'] for r in rows], values, color=[color(r['name']) for r in rows], height=0.72)
            if key == 'wall_s':
                ax.errorbar(values, range(len(rows)), xerr=[[r[key][0] - r[key][1] for r in rows], [r[key][2] - r[key][0] for r in rows]], fmt='none', ecolor='black', elinewidth=0.7)
            shown = [v for v, r in zip(values, rows) if key == 'wall_s' or not r['name'].startswith('cp ')] or values
            end = max(max(shown), max((r[key][2] for r in rows), default=0) if key == 'wall_s' else 0) or 1
            for i, v in enumerate(values):
                cut = v > end
                reach = rows[i][key][2] if key == 'wall_s' else v
                ax.text(end * 1.16 if cut else reach + end * 0.01, i, ('\u2192 ' if cut else '') + (f'{v:,.0f}' if v >= 100 else f'{v:.2f}'), va='center', ha='left', fontsize=7)
            ax.set_xlim(0, end * 1.15)
            ax.set_ylim(-0.6, len(rows) - 0.4)
            ax.set_xlabel(label, fontsize=7)
            ax.spines[['top', 'right']].set_visible(False)
        left.set_title(s['title'], loc='left', fontsize=9, fontweight='bold')
        right.set_yticklabels([])
    fig.savefig(sys.argv[2], metadata={'Date': None})


main()
