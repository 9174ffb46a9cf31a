"""Closed classes of English words, and lists of open ones that are safe to know beforehand. All lower case."""

from __future__ import annotations

BE = frozenset("is are was were".split())
MODALS = frozenset("can could will would shall should may might must cannot".split())
AUXILIARIES = BE | MODALS | frozenset("has have had does do did".split())
DETERMINERS = frozenset("a an the each every any some all most many few several no both either neither".split())
PRONOUNS = frozenset(
    "i me my mine we us our ours you your yours he him his she her hers it its they them their theirs this that these"
    " those one ones who whom whose which what there here such same other another others former latter itself"
    " themselves himself herself something someone anything anyone everything everyone nothing nobody".split()
)
PREPOSITIONS = frozenset(
    "of in on at by for with from to into onto over under between among through during before after about against"
    " without within upon across along around behind below above beneath beside besides beyond toward towards until"
    " till since per via than as like unlike near off out up down".split()
)
CONJUNCTIONS = frozenset(
    "and or but nor so yet because if when while although though whereas unless since that".split()
)
STOP = (
    DETERMINERS
    | PRONOUNS
    | PREPOSITIONS
    | CONJUNCTIONS
    | AUXILIARIES
    | frozenset(
        "not be been being only also very more less least much too just even still then thus therefore however often"
        " usually generally always never sometimes rather quite well how why where when whether again once".split()
    )
)

# A sentence that starts like this leans on the one before it, tells the reader to do something, or speaks of the page.
LEANING_STARTS = PRONOUNS - {"you", "your"} | frozenset(
    "and or but nor so yet then thus therefore hence however moreover furthermore besides also additionally"
    " consequently accordingly instead otherwise nevertheless nonetheless meanwhile similarly likewise conversely"
    " finally next first second third last lastly again further indeed because although though while whereas since"
    " note notice recall remember see let suppose consider assume imagine think try use find draw write read look"
    " compute calculate determine identify list name describe explain construct complete answer compare choose"
    " select enter press type click go take give make round sketch state label show solve refer follow repeat begin"
    " start check verify organize record count add multiply divide subtract plot graph graphing discuss interpret"
    " solution answer example figure table chapter section exercise problem step yes no hint please".split()
)
# Verbs that start an instruction far more often than a statement.
IMPERATIVES = frozenset(
    "keep hold turn place put set open close stop leave bring send move push pull cut mix stir heat cool wash dry fill"
    " pour serve cover remove insert attach connect switch run install click save load print avoid ensure provide"
    " include ask tell let help learn study work practice apply change build create design develop test measure"
    " predict explore examine review summarize highlight underline circle match sort group combine convert simplify"
    " evaluate expand factor prove assign replace return substitute rewrite model demonstrate illustrate justify"
    " mark pick roll toss flip deal spin divide subtract wait watch listen visit call download search scroll highlight"
    " contact please do don't be get buy sell pay prepare plan pass point reduce increase raise lower lift press drag"
    " drop treat view walk stand sit read reread memorize spell translate pronounce collect gather generate simulate"
    " shade trace estimate obtain input store sum square fit recognize differentiate interpret organize develop"
    " appraise classify conduct".split()
)
# Verbs that are hardly ever nouns, so that they are known even where a short document shows them once.
COMMON_VERBS = frozenset(
    "absorb accept achieve acquire add allow appear apply arise become begin believe belong bring build carry choose"
    " collect combine comprise conclude confirm connect consider consist contain continue contribute convert correspond"
    " create deal decide define demonstrate depend derive describe destroy determine develop differ disappear discover"
    " divide emerge enable encourage ensure enter establish evaluate exceed exist expand explain express extend fail"
    " fall flow follow form generate give govern grow happen hold identify imply improve include incorporate increase"
    " decrease indicate influence inhibit interact introduce invent involve keep know lead learn lie maintain mean"
    " measure meet migrate obtain occur operate originate perceive perform permit predict prefer prepare prevent"
    " produce protect prove provide publish pursue raise reach receive recognize reduce refer reflect regulate relate"
    " release rely remain remove repel replace represent require resemble resist respond result retain reveal rise"
    " satisfy seem select send separate serve settle show speak spend spread stay store strengthen suggest surround"
    " survive take teach tend think transform transmit understand undergo unite use vary weaken write yield"
    " illustrate live win lose pay buy sell wear".split()
)
NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
    " nineteen twenty thirty forty fifty sixty seventy eighty ninety".split()
)
MONTHS = frozenset("January February March April May June July August September October November December".split())
DAYS = frozenset("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
# Past forms that are not participles too ("began", not "held"): a noun before one is its subject.
PAST_ONLY = {
    "began": "begin", "took": "take", "gave": "give", "wrote": "write", "went": "go", "saw": "see", "knew": "know",
    "grew": "grow", "rose": "rise", "wore": "wear", "broke": "break", "chose": "choose", "drew": "draw",
    "drove": "drive", "ate": "eat", "flew": "fly", "forgot": "forget", "froze": "freeze", "rode": "ride",
    "sang": "sing", "sank": "sink", "spoke": "speak", "stole": "steal", "swam": "swim", "threw": "throw",
    "woke": "wake", "withdrew": "withdraw", "arose": "arise", "underwent": "undergo", "undertook": "undertake",
    "became": "become", "came": "come", "ran": "run", "overcame": "overcome", "fell": "fall",
}  # fmt: skip
# Past forms that are participles as well: certain only right after a name.
PAST = PAST_ONLY | {
    "made": "make", "sold": "sell", "built": "build", "led": "lead", "won": "win", "held": "hold", "found": "find",
    "lost": "lose", "left": "leave", "met": "meet", "sent": "send", "spent": "spend", "told": "tell",
    "thought": "think", "brought": "bring", "bought": "buy", "felt": "feel", "kept": "keep", "said": "say",
    "taught": "teach", "caught": "catch", "sought": "seek", "fought": "fight", "paid": "pay", "heard": "hear",
    "stood": "stand", "understood": "understand", "meant": "mean", "dealt": "deal", "lent": "lend", "slept": "sleep",
}  # fmt: skip
# Nouns that are terms of no document, and whose kinds are no kinds of one thing.
GENERAL = frozenset(
    "example number way thing part kind type case set order time use value amount level group result information"
    " problem question study people person word form fact point course class list rest end interest size"
    " minutes hours days years age rate total color".split()
)
