"""Project folders made for the user: a commented new one, or a copy of an example."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from biaochi.errors import Place, Problem, Text, UnknownName, refuse
from biaochi.files.project import EXAMPLES, example_folder

_TOML = """\
# A Biaochi project. 标尺项目。 Run it: biaochi run {name}
title = {{ en = "My index", zh = "我的指数" }}
# notice = {{ en = "Said on every output.", zh = "显示在每个输出上的说明。" }}

[files]
framework = "framework.csv"   # the indicator tree 指标体系
units = "units.csv"           # what is scored; other columns are groupings 单位
data = "data.csv"             # long (unit, period, indicator, value) or wide (one column an indicator) 数据
# period = "2023"             # if the data have no period column 数据没有“期”列时填写
# ignore = ["remarks"]        # columns to pass over 忽略的列

# [columns]                   # headers of your data that differ from the usual ones 自定义表头
# unit = "city_code"

# [map]                       # boundaries, for the map in the report 地图边界
# file = "boundaries.geojson"
# key = "code"

# [published]                 # scores to compare with 用于比对的已公布得分
# file = "published.csv"

[recipe]                      # every choice of method: docs/guide/recipe.md 方案
min_share = 0.65              # units with fewer of their indicators are not scored 可得率下限
impute = "none"               # none, mean, median, group_mean, group_median: biaochi methods
treat = "none"                # none, winsorise, winsorise_then_log
normalise = "minmax"          # minmax, zscore, goalposts, rank, percentile_rank
range = [0, 100]
scale = "period"              # period, pooled, base (with base = "2020"), fixed
weigh = "given"               # given, equal
aggregate = "arithmetic"      # arithmetic, geometric
min_children = 0.5            # share of its children a node needs 下级可得率下限

# [recipe.level.0]            # for all nodes at one level (0 is the index)
# aggregate = "geometric"

# [recipe.node.broadband]     # for one indicator or one parent
# normalise = {{ method = "goalposts", low = 0, high = 100 }}
"""

_FRAMEWORK = """\
code,parent,name_zh,name_en,weight,unit,direction,goalpost_low,goalpost_high,formula,kind,normalise
index,,数字经济指数（示例）,Digital economy index (made-up example),,,,,,,,
infrastructure,index,基础设施,Infrastructure,2,,,,,,,
use,index,应用,Use,1,,,,,,,
broadband,infrastructure,宽带普及率,Broadband take-up,1,%,1,0,100,,,goalposts
stations,infrastructure,每万人5G基站数,5G base stations per 10 000 people,1,per 10 000 people,1,,,base_stations / population * 10000,,
outage,infrastructure,年均中断时间,Outage time,1,hours a year,-1,,,,,
online_sales,use,网上零售额占比,Online share of retail sales,1,%,1,,,,,
base_stations,,5G基站数,5G base stations,,number,,,,,series,
population,,常住人口,Resident population,,persons,,,,,series,
"""

_UNITS = """\
code,name_zh,name_en,ranked,region
A,甲市,City A,yes,north
B,乙市,City B,yes,north
C,丙市,City C,yes,south
D,丁市,City D,yes,south
P,全省,Province,no,
"""

_DATA = """\
unit,period,broadband,base_stations,population,outage,online_sales
A,2022,71.2,5200,4100000,6.1,21.4
B,2022,64.8,2100,2300000,8.4,17.9
C,2022,58.3,1300,1900000,,15.2
D,2022,77.0,6900,5200000,5.2,24.8
P,2022,69.9,15500,13500000,6.6,21.5
A,2023,74.5,6800,4120000,5.7,23.0
B,2023,69.1,2900,2290000,7.9,19.3
C,2023,66.4,2100,1880000,9.6,18.1
D,2023,79.3,8800,5260000,4.8,26.2
P,2023,73.6,20600,13550000,6.2,23.2
"""


def new_project(folder: Path) -> list[str]:
    """Write a small commented project with made-up data that runs at once; the names of its files.

    Raises
    ------
    BadInput
        If the folder has anything in it.
    """
    files = {"biaochi.toml": _TOML.format(name=folder), "framework.csv": _FRAMEWORK, "units.csv": _UNITS, "data.csv": _DATA}
    _empty_folder(folder)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return list(files)


def copy_example(name: str, folder: Path) -> list[str]:
    """Copy a shipped example; the names of its files.

    Raises
    ------
    UnknownName
        If there is no such example.
    BadInput
        If the folder has anything in it.
    """
    if name not in EXAMPLES:
        raise UnknownName(Text("example", "示例"), name, EXAMPLES)
    _empty_folder(folder)
    files = sorted(p for p in example_folder(name).iterdir() if p.is_file())
    for p in files:
        shutil.copyfile(p, folder / p.name)
    return [p.name for p in files]


def example_titles() -> dict[str, Text]:
    """Names and titles of the shipped examples."""
    out = {}
    for name in EXAMPLES:
        title = tomllib.loads((example_folder(name) / "biaochi.toml").read_text(encoding="utf-8"))["title"]
        out[name] = Text(title["en"], title["zh"])
    return out


def _empty_folder(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        refuse([Problem("folder-not-empty", Text("the folder is there and not empty.", "文件夹已存在且不为空。"),
                        Text("Choose another name.", "请换一个名称。"), Place(str(folder)))])  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
