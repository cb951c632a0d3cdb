"""
Words for made-up universities: schools and departments, lecture titles, names of teachers.

Everything is drawn from short lists; a teacher's name that belongs to somebody is a coincidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_SCHOOLS = {
    "Engineering": """CSE Computer Science and Engineering @computers; ECE Electronics Engineering @electronics;
        MEC Mechanical Engineering @machines; CIV Civil Engineering @soil_bench; EEE Electrical Engineering
        @electronics; CHM Chemical Engineering @reactors; MET Metallurgical Engineering @furnaces;
        MIN Mining Engineering; CER Ceramic Engineering @furnaces; PHE Pharmaceutical Engineering @fume_hoods;
        BCE Biochemical Engineering @reactors; BME Biomedical Engineering @electronics;
        MST Materials Science and Technology @furnaces; ARC Architecture and Planning; SYS Systems Engineering
        @computers""",
    "Science": """PHY Physics @optics; CHE Chemistry @fume_hoods; MAT Mathematics; BOT Botany @microscopes;
        ZOO Zoology @microscopes; GLG Geology @microscopes; GPH Geophysics @computers; GEO Geography; STA Statistics
        @computers; CSA Computer Applications @computers; BCH Biochemistry @fume_hoods; MHG Molecular and Human Genetics
        @microscopes; HSC Home Science; BTE Biotechnology @microscopes""",
    "Commerce and Management": """COM Commerce; ACC Accounting and Finance; MGT Management Studies; IBM International
        Business; BNK Banking and Insurance; HRM Human Resource Management; TTM Travel and Tourism Management""",
    "Social Sciences": """ECO Economics; HIS History; POL Political Science; PSY Psychology @instruments; SOC Sociology;
        WGS Women and Gender Studies; DEV Development Studies; PEA Peace Research; SXI Social Inclusion Studies;
        RUR Rural Development""",
    "Arts": """ENG English; HIN Hindi; SAN Sanskrit; PER Persian; URD Urdu; ARB Arabic; BEN Bengali; MAR Marathi;
        NEP Nepali; TEL Telugu; TAM Tamil; PAL Pali and Buddhist Studies; FRE French; GER German; RUS Russian;
        CHI Chinese; PHI Philosophy and Religion; AIH Ancient Indian History; HOA History of Art; LIN Linguistics;
        LIS Library and Information Science; JMC Journalism and Mass Communication; PED Physical Education""",
    "Agriculture": """AGR Agronomy @soil_bench; ENT Entomology @microscopes; HOR Horticulture; MPP Mycology and Plant
        Pathology @microscopes; GPB Genetics and Plant Breeding @microscopes; SAC Soil Science @soil_bench;
        AEC Agricultural Economics; EXT Extension Education; PPH Plant Physiology @fume_hoods; AHD Animal Husbandry;
        DST Dairy Science @fume_hoods; FEN Farm Engineering @machines""",
    "Medicine": """ANA Anatomy @microscopes; PHS Physiology @instruments; BIC Clinical Biochemistry @fume_hoods;
        MIC Microbiology @microscopes; PTH Pathology @microscopes; PHM Pharmacology @fume_hoods; FOR Forensic Medicine;
        COH Community Medicine; PDT Paediatrics; ORT Orthopaedics; OPH Ophthalmology; ANE Anaesthesiology; RAD Radiology
        @instruments; PSC Psychiatry; NUR Nursing @instruments; DEN Dental Sciences @instruments""",
    "Ayurveda": """DRV Dravyaguna; KAY Kayachikitsa; KRI Kriya Sharir; RAS Rasa Shastra @fume_hoods; RCN Rachana Sharir;
        SID Siddhant Darshan; SHA Shalya Tantra; VIK Vikriti Vigyan; SWA Swasthavritta and Yoga""",
    "Law and Education": """LAW Law; EDU Education; HRD Human Rights and Duties; ADU Adult Education; SPE Special
        Education""",
    "Performing and Visual Arts": """VOC Vocal Music; INS Instrumental Music; DAN Dance; MUS Musicology; PTG Painting;
        SCU Plastic Arts; APA Applied Arts @computers; TEX Textile Design""",
    "Sanskrit Learning": """VED Veda; VYA Vyakarana; SAH Sahitya; JYO Jyotish; DHA Dharmashastra; VDS Vaidik Darshan;
        BDJ Bauddha and Jain Darshan; DHV Dharmagama""",
}

_OPENINGS = (
    "Foundations of", "Methods in", "Structures of", "Advanced", "Analysis in", "Principles of", "Topics in",
    "Applied", "History of Ideas in", "Theory of", "Practice of", "Contemporary",
)  # fmt: skip
_ELECTIVE_ENDINGS = (
    "and Society", "for Everyone", "in Practice", "and Ethics", "with Data", "and Environment", "in the Field",
    "and Policy", "in India", "and Design",
)  # fmt: skip
_FIRST = (
    "Aarohi", "Abhinav", "Aditi", "Akshay", "Ambika", "Anirban", "Bhavna", "Chitra", "Debjani", "Deepak", "Devika",
    "Eshan", "Farhan", "Gauri", "Girish", "Harpreet", "Hemant", "Ishita", "Jatin", "Jyotsna", "Kavya", "Kunal",
    "Lalit", "Madhuri", "Manish", "Meenal", "Nandini", "Naveen", "Nilofer", "Omkar", "Pallavi", "Pranav", "Radhika",
    "Rehana", "Ritwik", "Rohan", "Samina", "Sandeep", "Shalini", "Shreyas", "Sneha", "Subodh", "Tanvi", "Tarun",
    "Uma", "Urvashi", "Varun", "Vidya", "Yamini", "Zoya",
)  # fmt: skip
_LAST = (
    "Acharya", "Agnihotri", "Ahluwalia", "Bagchi", "Banerjee", "Bhandari", "Bhosale", "Chakravarty", "Chaturvedi",
    "Deshmukh", "Dhillon", "Dubey", "Ghosal", "Gokhale", "Hegde", "Iyer", "Jadhav", "Joshi", "Kamath", "Khatri",
    "Kulkarni", "Lahiri", "Mahanta", "Malviya", "Mishra", "Mukherjee", "Nair", "Naqvi", "Ojha", "Pandey", "Patnaik",
    "Pillai", "Qureshi", "Raghavan", "Rao", "Rathore", "Sahoo", "Saxena", "Shukla", "Siddiqui", "Sodhi", "Srivastava",
    "Tiwari", "Tripathi", "Upadhyay", "Varma", "Venkatesan", "Wadhwa", "Yadav", "Zaidi",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """`school` counts from 0; `lab_kind` is the room feature its labs need, None for a department without labs."""

    code: str
    name: str
    school: int
    lab_kind: str | None

    @property
    def id(self) -> str:
        """The id that rooms, teachers and courses name it by."""
        return f"D-{self.code}"


def schools(campus: int = 0) -> list[list[Department]]:
    """Every department, by school; those of a second campus (1) and later ones carry its number in their names."""
    return [
        [_department(entry, school, f" {campus + 1}" if campus else "") for entry in text.split(";")]
        for school, text in enumerate(_SCHOOLS.values())
    ]


def _department(entry: str, school: int, suffix: str) -> Department:
    title, _, kind = " ".join(entry.split()).partition(" @")
    code, _, name = title.partition(" ")
    return Department(code=code + suffix.strip(), name=name + suffix, school=school, lab_kind=kind or None)


def lecture_title(department: Department, number: int) -> str:
    """Title of the `number`-th (from 0) core lecture of a department's year."""
    return f"{_OPENINGS[number % len(_OPENINGS)]} {department.name}"


def elective_title(department: Department, number: int) -> str:
    """Title of the `number`-th (from 0) elective of a department."""
    return f"{department.name} {_ELECTIVE_ENDINGS[number % len(_ELECTIVE_ENDINGS)]}"


def person(rng: Random) -> str:
    """A made-up teacher."""
    middle = rng.choice(("", "", "", "K. ", "S. ", "P. ", "R. "))
    return f"{rng.choice(_FIRST)} {middle}{rng.choice(_LAST)}"
